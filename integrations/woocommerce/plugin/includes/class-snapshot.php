<?php
/**
 * A cart in the words the connector reads.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Builds snapshot version 1 from a row; every key is always there, unknown text is "".
 */
final class Snapshot {

	/**
	 * The format's version; a reader refuses what it does not know.
	 */
	const FORMAT = 1;

	/**
	 * What a line of the snapshot has; a row's line holds more, for the way back into the cart.
	 */
	const LINE = array(
		'key'          => '',
		'product_id'   => 0,
		'variation_id' => 0,
		'attributes'   => array(),
		'name'         => '',
		'sku'          => '',
		'quantity'     => '',
		'subtotal'     => '',
		'subtotal_tax' => '',
		'total'        => '',
		'total_tax'    => '',
		'image'        => '',
		'url'          => '',
	);

	const SHIPPING = array(
		'method' => '',
		'total'  => '',
		'tax'    => '',
	);

	const TOTALS = array(
		'subtotal'     => '',
		'subtotal_tax' => '',
		'discount'     => '',
		'discount_tax' => '',
		'shipping'     => '',
		'shipping_tax' => '',
		'fees'         => '',
		'tax'          => '',
		'total'        => '',
	);

	/**
	 * The snapshot of a row.
	 *
	 * @param array $row As Cart_Store gives it.
	 */
	public static function of( array $row ): array {
		$row  = array_merge( Cart_Store::EMPTY_ROW, $row );
		$gone = 'forgotten' === $row['status'];
		if ( $gone ) {
			$row = array_merge( Cart_Store::EMPTY_ROW, array_intersect_key( $row, array_flip( array( 'token', 'seq', 'status', 'created_at', 'updated_at' ) ) ) );
		}
		return array_merge(
			self::about_the_site(),
			array(
				'event_id'           => $row['token'] . '-' . $row['seq'],
				'token'              => $row['token'],
				'seq'                => $row['seq'],
				'status'             => $row['status'],
				'stage'              => $row['stage'],
				'created_at'         => self::time( $row['created_at'] ),
				'updated_at'         => self::time( $row['updated_at'] ),
				'order_id'           => $row['order_id'],
				'customer_id'        => $row['user_id'],
				'email'              => $row['email'],
				'phone'              => $row['phone'],
				'first_name'         => $row['first_name'],
				'last_name'          => $row['last_name'],
				'company'            => $row['company'],
				'country'            => $row['country'],
				'consents'           => array_values( $row['consents'] ),
				'currency'           => $row['currency'],
				'prices_include_tax' => ! $gone && ! empty( $row['cart']['prices_include_tax'] ),
				'locale'             => $row['locale'],
			),
			self::contents( $row['cart'] ),
			array( 'restore_url' => $gone ? '' : Link::url( $row['token'] ) )
		);
	}

	/**
	 * `2026-11-22 10:00:00` in UTC as `2026-11-22T10:00:00Z`.
	 *
	 * @param string $utc As the table holds it, or "".
	 */
	public static function time( string $utc ): string {
		return '' === $utc ? '' : str_replace( ' ', 'T', $utc ) . 'Z';
	}

	/**
	 * What is the same for every cart of this site.
	 */
	private static function about_the_site(): array {
		return array(
			'connector'   => self::FORMAT,
			'plugin'      => CONNECTOR_CARTS_VERSION,
			'woocommerce' => defined( 'WC_VERSION' ) ? (string) WC_VERSION : '',
			'wordpress'   => (string) get_bloginfo( 'version' ),
			// Not home_url(): that one follows the scheme of the request, and language plugins change it.
			'home'        => untrailingslashit( (string) get_option( 'home' ) ),
		);
	}

	/**
	 * What is in the cart.
	 *
	 * @param array $cart As the row holds it.
	 */
	private static function contents( array $cart ): array {
		return array(
			'lines'    => array_map( array( self::class, 'line' ), array_values( $cart['lines'] ?? array() ) ),
			'coupons'  => array_values( $cart['coupons'] ?? array() ),
			'fees'     => array_values( $cart['fees'] ?? array() ),
			'shipping' => array_merge( self::SHIPPING, array_intersect_key( $cart['shipping'] ?? array(), self::SHIPPING ) ),
			'totals'   => array_merge( self::TOTALS, array_intersect_key( $cart['totals'] ?? array(), self::TOTALS ) ),
		);
	}

	/**
	 * One line, without what only the way back needs.
	 *
	 * @param array $kept As the row holds it.
	 */
	private static function line( array $kept ): array {
		$line = array_merge( self::LINE, array_intersect_key( $kept, self::LINE ) );
		// An empty PHP array would become a JSON list; a reader expects names and values.
		$line['attributes'] = (object) $line['attributes'];
		return $line;
	}
}
