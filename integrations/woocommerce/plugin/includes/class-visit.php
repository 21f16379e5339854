<?php
/**
 * What we remember about the visit that is going on.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * One entry in WooCommerce's own session. We set no cookie: a shopper with a cart has WooCommerce's.
 */
final class Visit {

	/**
	 * The entry's name in the session.
	 */
	const KEY = 'connector_carts';

	/**
	 * What a visit starts with: `adopted` when the cart came by a link, `contact` as typed at the checkout,
	 * `newsletter` an address given to a newsletter form, `closed_at` when an order was last placed here.
	 */
	const START = array(
		'token'      => '',
		'adopted'    => false,
		'contact'    => array(),
		'newsletter' => '',
		'consents'   => array(),
		'opt_out'    => false,
		'closed_at'  => 0,
	);

	/**
	 * Whether there is a shopper's session at all; there is none in cron jobs and in the store's API.
	 */
	public static function goes_on(): bool {
		return function_exists( 'WC' ) && is_object( WC() ) && is_object( WC()->session ?? null );
	}

	/**
	 * Everything remembered, or one thing of it.
	 */
	public static function read(): array {
		$kept = self::goes_on() ? WC()->session->get( self::KEY ) : null;
		return array_merge( self::START, is_array( $kept ) ? array_intersect_key( $kept, self::START ) : array() );
	}

	/**
	 * Remembers some things; the rest stays.
	 *
	 * @param array $changes With keys of START.
	 */
	public static function write( array $changes ): void {
		if ( ! self::goes_on() ) {
			return;
		}
		$before = self::read();
		$after  = array_merge( $before, array_intersect_key( $changes, self::START ) );
		// Writing what is there already would make WooCommerce save the session for nothing.
		if ( $after !== $before ) {
			WC()->session->set( self::KEY, $after );
		}
	}

	/**
	 * Gives the cart a new name of 128 random bits.
	 */
	public static function rename(): string {
		$token = bin2hex( random_bytes( 16 ) );
		self::write(
			array(
				'token'   => $token,
				'adopted' => false,
			)
		);
		return $token;
	}
}
