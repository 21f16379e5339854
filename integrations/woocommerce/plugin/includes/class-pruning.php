<?php
/**
 * Old carts go.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Deletes once a day what nothing has changed for 45 days: longer than any link holds.
 */
final class Pruning {

	const HOOK = 'connector_carts_prune';

	const DAYS = 45;

	/**
	 * Binds the daily run, and makes sure there is one.
	 */
	public static function register(): void {
		add_action( self::HOOK, array( self::class, 'run' ) );
		add_action( 'admin_init', array( self::class, 'schedule' ) );
	}

	/**
	 * Deletes what is old.
	 */
	public static function run(): void {
		Cart_Store::delete_older_than( self::DAYS );
	}

	/**
	 * Has it run each day from now on.
	 */
	public static function schedule(): void {
		if ( ! wp_next_scheduled( self::HOOK ) ) {
			wp_schedule_event( time() + HOUR_IN_SECONDS, 'daily', self::HOOK );
		}
	}

	/**
	 * Has it run no more.
	 */
	public static function unschedule(): void {
		wp_clear_scheduled_hook( self::HOOK );
	}
}
