<?php
/**
 * What is in a shopper's cart, as we keep it.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Reads WooCommerce's cart into plain arrays; money becomes text with the store's decimals.
 */
final class Cart_Reader {

	/**
	 * What WooCommerce keeps in a cart item itself; everything else was put there by an add-on.
	 */
	const OWN_KEYS = array( 'key', 'product_id', 'variation_id', 'variation', 'quantity', 'data', 'data_hash' );

	/**
	 * An add-on's data beyond this many bytes is not kept: a cart is no place for files.
	 */
	const DATA_BYTES = 8000;

	/**
	 * Lines, coupons, fees, shipping and totals of a cart.
	 *
	 * @param \WC_Cart $cart Calculated.
	 */
	public static function read( $cart ): array {
		$gross = wc_prices_include_tax();
		$lines = array();
		foreach ( $cart->get_cart() as $key => $item ) {
			$lines[] = self::line( $cart, (string) $key, $item, $gross );
		}
		return array(
			'prices_include_tax' => $gross,
			'lines'              => $lines,
			'coupons'            => array_values( array_map( 'strval', $cart->get_applied_coupons() ) ),
			'fees'               => self::fees( $cart ),
			'shipping'           => self::shipping( $cart ),
			'totals'             => self::totals( $cart, $gross ),
		);
	}

	/**
	 * One line.
	 *
	 * @param \WC_Cart $cart  The cart.
	 * @param string   $key   The cart item's key.
	 * @param array    $item  The cart item.
	 * @param bool     $gross Whether the shop's prices hold the tax.
	 */
	private static function line( $cart, string $key, array $item, bool $gross ): array {
		$product                        = $item['data'];
		list( $subtotal, $subtotal_tax ) = self::pair( $item['line_subtotal'] ?? 0, $item['line_subtotal_tax'] ?? 0, $gross );
		list( $total, $total_tax )       = self::pair( $item['line_total'] ?? 0, $item['line_tax'] ?? 0, $gross );
		$picture                        = $product->get_image_id() ? wp_get_attachment_image_url( (int) $product->get_image_id(), 'woocommerce_thumbnail' ) : '';
		return array(
			'key'          => $key,
			'product_id'   => (int) ( $item['product_id'] ?? 0 ),
			'variation_id' => (int) ( $item['variation_id'] ?? 0 ),
			'attributes'   => self::attributes( is_array( $item['variation'] ?? null ) ? $item['variation'] : array() ),
			'name'         => wp_strip_all_tags( (string) $product->get_name() ),
			'sku'          => (string) $product->get_sku(),
			'quantity'     => (string) ( $item['quantity'] ?? 0 ),
			'subtotal'     => $subtotal,
			'subtotal_tax' => $subtotal_tax,
			'total'        => $total,
			'total_tax'    => $total_tax,
			'image'        => $picture ? (string) $picture : '',
			'url'          => (string) $product->get_permalink( $item ),
			'price'        => (string) $product->get_price(),
			'data'         => self::extra( $item ),
		);
	}

	/**
	 * The chosen attributes of a variation, without WooCommerce's prefix.
	 *
	 * @param array $variation As the cart item holds it.
	 */
	private static function attributes( array $variation ): array {
		$attributes = array();
		foreach ( $variation as $name => $value ) {
			$attributes[ (string) preg_replace( '/\Aattribute_/', '', (string) $name ) ] = (string) $value;
		}
		return $attributes;
	}

	/**
	 * What add-ons put into a cart item: texts, numbers and lists of them, no objects.
	 *
	 * @param array $item The cart item.
	 */
	private static function extra( array $item ): array {
		$extra = array();
		foreach ( $item as $name => $value ) {
			if ( ! in_array( $name, self::OWN_KEYS, true ) && 0 !== strpos( (string) $name, 'line_' ) && self::is_plain( $value ) ) {
				$extra[ $name ] = $value;
			}
		}
		return strlen( (string) wp_json_encode( $extra ) ) <= self::DATA_BYTES ? $extra : array();
	}

	/**
	 * Whether a value survives being written as JSON.
	 *
	 * @param mixed $value Anything.
	 * @param int   $depth How deep it may still go.
	 */
	private static function is_plain( $value, int $depth = 5 ): bool {
		if ( is_array( $value ) ) {
			foreach ( $value as $inner ) {
				if ( $depth < 1 || ! self::is_plain( $inner, $depth - 1 ) ) {
					return false;
				}
			}
			return true;
		}
		return is_scalar( $value ) || null === $value;
	}

	/**
	 * Fees, as the shopper sees them.
	 *
	 * @param \WC_Cart $cart The cart.
	 */
	private static function fees( $cart ): array {
		$fees = array();
		foreach ( $cart->get_fees() as $fee ) {
			$fees[] = array(
				'name'  => (string) $fee->name,
				'total' => self::money( $fee->total ?? $fee->amount ),
				'tax'   => self::money( $fee->tax ?? 0 ),
			);
		}
		return $fees;
	}

	/**
	 * The chosen way of shipping. Before WooCommerce can know the price nothing is said, least of all "free".
	 *
	 * @param \WC_Cart $cart The cart.
	 */
	private static function shipping( $cart ): array {
		if ( ! self::knows_shipping( $cart ) ) {
			return Snapshot::SHIPPING;
		}
		return array(
			'method' => self::shipping_method(),
			'total'  => self::money( $cart->get_shipping_total() ),
			'tax'    => self::money( $cart->get_shipping_tax() ),
		);
	}

	/**
	 * Whether the cart's shipping is settled: it needs none, or one was chosen for an address.
	 *
	 * @param \WC_Cart $cart The cart.
	 */
	private static function knows_shipping( $cart ): bool {
		return ! $cart->needs_shipping() || ( $cart->show_shipping() && '' !== self::shipping_method() );
	}

	/**
	 * The names of the chosen shipping rates.
	 */
	private static function shipping_method(): string {
		$chosen = WC()->session->get( 'chosen_shipping_methods' );
		$names  = array();
		foreach ( WC()->shipping()->get_packages() as $index => $package ) {
			$rate = $package['rates'][ $chosen[ $index ] ?? '' ] ?? null;
			if ( $rate ) {
				$names[] = wp_strip_all_tags( (string) $rate->get_label() );
			}
		}
		return implode( ', ', array_unique( $names ) );
	}

	/**
	 * The cart's sums.
	 *
	 * @param \WC_Cart $cart  The cart.
	 * @param bool     $gross Whether the shop's prices hold the tax.
	 */
	private static function totals( $cart, bool $gross ): array {
		list( $subtotal, $subtotal_tax ) = self::pair( $cart->get_subtotal(), $cart->get_subtotal_tax(), $gross );
		list( $discount, $discount_tax ) = self::pair( $cart->get_discount_total(), $cart->get_discount_tax(), $gross );
		$known                           = self::knows_shipping( $cart );
		return array(
			'subtotal'     => $subtotal,
			'subtotal_tax' => $subtotal_tax,
			'discount'     => $discount,
			'discount_tax' => $discount_tax,
			'shipping'     => $known ? self::money( $cart->get_shipping_total() ) : '',
			'shipping_tax' => $known ? self::money( $cart->get_shipping_tax() ) : '',
			'fees'         => self::money( $cart->get_fee_total() ),
			'tax'          => self::money( $cart->get_total_tax() ),
			'total'        => self::money( $cart->get_total( 'edit' ) ),
		);
	}

	/**
	 * Net and tax, rounded so that together they are what the shopper sees.
	 *
	 * Where prices hold the tax the shopper sees their sum: it is rounded, and the net part is what the tax leaves.
	 *
	 * @param mixed $net   An amount.
	 * @param mixed $tax   An amount.
	 * @param bool  $gross Whether the shop's prices hold the tax.
	 */
	private static function pair( $net, $tax, bool $gross ): array {
		if ( ! $gross ) {
			return array( self::money( $net ), self::money( $tax ) );
		}
		$decimals = wc_get_price_decimals();
		$sum      = round( (float) $net + (float) $tax, $decimals );
		$tax      = round( (float) $tax, $decimals );
		return array( self::money( $sum - $tax ), self::money( $tax ) );
	}

	/**
	 * An amount as text with the store's decimals and a point.
	 *
	 * @param mixed $amount A number, or the text of one.
	 */
	private static function money( $amount ): string {
		$text = number_format( (float) $amount, wc_get_price_decimals(), '.', '' );
		return 0.0 === (float) $text ? ltrim( $text, '-' ) : $text;
	}
}
