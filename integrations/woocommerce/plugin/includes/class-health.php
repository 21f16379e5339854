<?php
/**
 * How this site is.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Reads what the connection doctor needs and what WooCommerce's own system report does not tell.
 */
final class Health {

	/**
	 * When WooCommerce's queue last ran, as Unix time; noted at most once a minute.
	 */
	const QUEUE_RAN = 'connector_carts_queue_ran';

	/**
	 * Binds the note of the queue's runs.
	 */
	public static function register(): void {
		add_action( 'action_scheduler_before_process_queue', array( self::class, 'note_run' ) );
	}

	/**
	 * Notes that the queue runs.
	 */
	public static function note_run(): void {
		if ( time() - (int) get_option( self::QUEUE_RAN, 0 ) >= MINUTE_IN_SECONDS ) {
			update_option( self::QUEUE_RAN, time(), false );
		}
	}

	/**
	 * Everything, as the status route tells it.
	 */
	public static function read(): array {
		return array(
			'plugin'      => CONNECTOR_CARTS_VERSION,
			'woocommerce' => defined( 'WC_VERSION' ) ? (string) WC_VERSION : '',
			'wordpress'   => (string) get_bloginfo( 'version' ),
			'php'         => PHP_VERSION,
			'hpos'        => self::has_hpos(),
			'checkout'    => self::checkout(),
			'home'        => (string) get_option( 'home' ),
			'moved'       => Settings::moved(),
			'clock'       => gmdate( 'Y-m-d\TH:i:s\Z' ),
			'cron'        => self::cron(),
			'capture'     => Settings::capture_mode(),
			'webhook'     => Webhook::state(),
			'mailers'     => Mailers::active(),
			'open_carts'  => Cart_Store::open_count(),
		);
	}

	/**
	 * Whether orders live in tables of their own.
	 */
	private static function has_hpos(): bool {
		$util = '\Automattic\WooCommerce\Utilities\OrderUtil';
		return class_exists( $util ) && (bool) $util::custom_orders_table_usage_is_enabled();
	}

	/**
	 * Which checkouts shoppers can meet: block, classic, both (another page has the other one) or none.
	 */
	private static function checkout(): string {
		global $wpdb;
		$kinds = array();
		$main  = get_post( wc_get_page_id( 'checkout' ) );
		if ( $main && 'publish' === $main->post_status ) {
			// A page without either is drawn by a page builder, and those draw the classic checkout.
			$kinds = self::kinds_in( (string) $main->post_content );
			$kinds = $kinds ? $kinds : array( 'classic' );
		}
		$pages = $wpdb->get_col( "SELECT post_content FROM {$wpdb->posts} WHERE post_type = 'page' AND post_status = 'publish' AND (post_content LIKE '%woocommerce_checkout%' OR post_content LIKE '%wp:woocommerce/%') LIMIT 50" );
		foreach ( $pages as $content ) {
			$kinds = array_merge( $kinds, self::kinds_in( (string) $content ) );
		}
		$kinds = array_values( array_unique( $kinds ) );
		return count( $kinds ) > 1 ? 'both' : ( $kinds[0] ?? 'none' );
	}

	/**
	 * The checkouts in a page's text.
	 *
	 * @param string $content As WordPress keeps it.
	 */
	private static function kinds_in( string $content ): array {
		$kinds = array();
		if ( preg_match( '#<!-- wp:woocommerce/checkout[ \n]#', $content ) ) {
			$kinds[] = 'block';
		}
		if ( preg_match( '#\[woocommerce_checkout[\s\]]|<!-- wp:woocommerce/classic-shortcode [^>]*"shortcode":"checkout"#', $content ) ) {
			$kinds[] = 'classic';
		}
		return $kinds;
	}

	/**
	 * Whether the site's clockwork runs: WooCommerce's webhooks wait in its queue.
	 */
	private static function cron(): array {
		$last = (int) get_option( self::QUEUE_RAN, 0 );
		return array(
			'disabled'           => defined( 'DISABLE_WP_CRON' ) && DISABLE_WP_CRON,
			'oldest_due_seconds' => max( 0, self::oldest_event(), self::oldest_action() ),
			'last_run'           => $last > 0 ? gmdate( 'Y-m-d\TH:i:s\Z', $last ) : '',
		);
	}

	/**
	 * For how many seconds WordPress's oldest event has been due.
	 */
	private static function oldest_event(): int {
		$crons = get_option( 'cron', array() );
		$times = array_filter( array_keys( is_array( $crons ) ? $crons : array() ), 'is_int' );
		return $times ? time() - min( $times ) : 0;
	}

	/**
	 * For how many seconds the oldest action of WooCommerce's queue has been due.
	 */
	private static function oldest_action(): int {
		if ( ! function_exists( 'as_get_scheduled_actions' ) ) {
			return 0;
		}
		$found = as_get_scheduled_actions(
			array(
				'status'       => 'pending',
				'date'         => gmdate( 'Y-m-d H:i:s' ),
				'date_compare' => '<=',
				'orderby'      => 'date',
				'order'        => 'ASC',
				'per_page'     => 1,
			)
		);
		$first = reset( $found );
		$date  = $first ? $first->get_schedule()->get_date() : null;
		return $date ? time() - $date->getTimestamp() : 0;
	}
}
