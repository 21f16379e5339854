<?php
/**
 * The shop goes on whatever happens to us.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Runs what we do inside a shopper's request: a mistake of ours, or of a plugin that we ask, must neither stop a
 * checkout nor keep WooCommerce from saving the session after us.
 */
final class Guard {

	/**
	 * Does something; if that fails, notes where in WooCommerce's log. The failure's own words may name a shopper and
	 * are left out.
	 *
	 * @param callable $something What to do.
	 */
	public static function run( callable $something ): void {
		try {
			$something();
		} catch ( \Throwable $failure ) {
			wc_get_logger()->error(
				sprintf( '%s in %s, line %d', get_class( $failure ), basename( $failure->getFile() ), $failure->getLine() ),
				array( 'source' => 'connector-carts' )
			);
		}
	}
}
