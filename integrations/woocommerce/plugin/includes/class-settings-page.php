<?php
/**
 * The page WooCommerce → Saved carts.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Shows the connection and the choices, and takes the answers. For those who manage the store, nobody else.
 */
final class Settings_Page {

	const SLUG = 'connector-carts';

	/**
	 * Set when WooCommerce has switched our webhook off, until it is on again.
	 */
	const ALARM = 'connector_carts_webhook_off';

	/**
	 * Binds page, forms and notices.
	 */
	public static function register(): void {
		add_action( 'admin_menu', array( self::class, 'add_page' ), 60 );
		add_action( 'admin_post_connector_carts_save', array( self::class, 'save' ) );
		add_action( 'admin_post_connector_carts_real_store', array( self::class, 'move_in' ) );
		add_action( 'admin_notices', array( self::class, 'warn' ) );
		add_action( 'woocommerce_webhook_disabled_due_delivery_failures', array( self::class, 'note_disabled' ) );
		add_filter( 'plugin_action_links_' . plugin_basename( CONNECTOR_CARTS_FILE ), array( self::class, 'add_link' ) );
	}

	/**
	 * Adds the page to WooCommerce's menu.
	 */
	public static function add_page(): void {
		add_submenu_page( 'woocommerce', __( 'Saved carts', 'connector-carts' ), __( 'Saved carts', 'connector-carts' ), 'manage_woocommerce', self::SLUG, array( self::class, 'show' ) );
	}

	/**
	 * Adds a link to the page in the list of plugins.
	 *
	 * @param array $links Of this plugin.
	 */
	public static function add_link( $links ): array {
		$ours = '<a href="' . esc_url( self::url() ) . '">' . esc_html__( 'Settings', 'connector-carts' ) . '</a>';
		return array_merge( array( 'settings' => $ours ), (array) $links );
	}

	/**
	 * Shows the page.
	 */
	public static function show(): void {
		$state   = Webhook::state();
		$mailers = array_map( array( Mailers::class, 'title' ), Mailers::active() );
		require __DIR__ . '/settings-page.php';
	}

	/**
	 * Keeps the choices.
	 */
	public static function save(): void {
		self::demand( 'connector_carts_save' );
		// phpcs:ignore WordPress.Security.NonceVerification.Missing -- demand() checks it.
		Settings::keep( wp_unslash( $_POST ) );
		self::back( 'saved' );
	}

	/**
	 * Takes this site for the real store.
	 */
	public static function move_in(): void {
		self::demand( 'connector_carts_real_store' );
		Settings::move_in();
		self::back( 'moved_in' );
	}

	/**
	 * Remembers that WooCommerce switched our webhook off after failed deliveries.
	 *
	 * @param int $id The webhook.
	 */
	public static function note_disabled( $id ): void {
		$webhook = wc_get_webhook( $id );
		if ( $webhook && Webhook::TOPIC === $webhook->get_topic() ) {
			update_option( self::ALARM, gmdate( 'Y-m-d H:i:s' ), true );
		}
	}

	/**
	 * Warns on the pages of the administration while carts do not get through or must not leave.
	 */
	public static function warn(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended
		$on_our_page = self::SLUG === sanitize_key( wp_unslash( $_GET['page'] ?? '' ) );
		if ( $on_our_page || ! current_user_can( 'manage_woocommerce' ) ) {
			return;
		}
		$link = ' <a href="' . esc_url( self::url() ) . '">' . esc_html__( 'See what to do', 'connector-carts' ) . '</a>';
		if ( Settings::moved() ) {
			self::say( 'warning', __( 'Saved carts: this site has another address than before, so no cart is saved or sent.', 'connector-carts' ), $link );
		}
		if ( '' === (string) get_option( self::ALARM, '' ) ) {
			return;
		}
		if ( 'active' === Webhook::state()['status'] ) {
			delete_option( self::ALARM );
			return;
		}
		self::say( 'error', __( 'Saved carts: WooCommerce has switched off the webhook that carries your carts, because deliveries failed.', 'connector-carts' ), $link );
	}

	/**
	 * The state of the webhook in words.
	 *
	 * @param string $status active, paused, disabled or none.
	 */
	public static function status_text( string $status ): string {
		$texts = array(
			'active'   => __( 'Connected', 'connector-carts' ),
			'paused'   => __( 'Paused: somebody paused the webhook under WooCommerce → Settings → Advanced → Webhooks.', 'connector-carts' ),
			'disabled' => __( 'Switched off: WooCommerce gave up after failed deliveries. Your Connector account makes the webhook anew by itself, usually within the hour.', 'connector-carts' ),
			'none'     => __( 'Not connected yet: connect this store in your Connector account.', 'connector-carts' ),
		);
		return $texts[ $status ] ?? $texts['none'];
	}

	/**
	 * A time in the site's own zone and form.
	 *
	 * @param string $utc As in 2026-11-22T10:00:00Z, or "".
	 */
	public static function time_text( string $utc ): string {
		$at = '' === $utc ? false : strtotime( $utc );
		return false === $at ? __( 'never', 'connector-carts' ) : (string) wp_date( get_option( 'date_format', 'Y-m-d' ) . ' ' . get_option( 'time_format', 'H:i' ), $at );
	}

	/**
	 * The capture modes with their names and what they mean.
	 */
	public static function modes(): array {
		return array(
			'everyone'  => array( __( 'Everyone', 'connector-carts' ), __( 'Every shopper who gives an e-mail address or a phone number; a box at the checkout says no.', 'connector-carts' ) ),
			'opt_in'    => array( __( 'Only with consent', 'connector-carts' ), __( 'Only shoppers who tick a box at the checkout.', 'connector-carts' ) ),
			'logged_in' => array( __( 'Only customers with an account', 'connector-carts' ), __( 'Only shoppers who are logged in.', 'connector-carts' ) ),
			'off'       => array( __( 'Nobody', 'connector-carts' ), __( 'No cart is saved or sent. Orders are not concerned.', 'connector-carts' ) ),
		);
	}

	/**
	 * Ends the request of whoever may not manage the store, or did not come from our form.
	 *
	 * @param string $action The form.
	 */
	private static function demand( string $action ): void {
		if ( ! current_user_can( 'manage_woocommerce' ) ) {
			wp_die( esc_html__( 'You may not do this.', 'connector-carts' ), '', array( 'response' => 403 ) );
		}
		check_admin_referer( $action );
	}

	/**
	 * Goes back to the page.
	 *
	 * @param string $done What was done.
	 */
	private static function back( string $done ): void {
		wp_safe_redirect( add_query_arg( 'done', $done, self::url() ) );
		exit;
	}

	/**
	 * The page's address.
	 */
	private static function url(): string {
		return admin_url( 'admin.php?page=' . self::SLUG );
	}

	/**
	 * Prints one notice.
	 *
	 * @param string $kind    warning or error.
	 * @param string $message Plain text.
	 * @param string $link    Safe HTML.
	 */
	private static function say( string $kind, string $message, string $link ): void {
		echo '<div class="notice notice-' . esc_attr( $kind ) . '"><p>' . esc_html( $message ) . wp_kses( $link, array( 'a' => array( 'href' => true ) ) ) . '</p></div>';
	}
}
