<?php
/**
 * What the merchant chose, and where this site lives.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/class-settings-page.php';

/**
 * Reads and keeps the plugin's settings.
 */
final class Settings {

	/**
	 * All choices, one option. What is not in it has its default.
	 */
	const OPTION = 'connector_carts_settings';

	/**
	 * The address at which the plugin was switched on.
	 */
	const HOME = 'connector_carts_home';

	/**
	 * Whose carts are saved.
	 */
	const MODES = array( 'everyone', 'opt_in', 'logged_in', 'off' );

	/**
	 * Binds the texts' language, the address of a site that was set up without activation, and the settings page.
	 */
	public static function register(): void {
		// Before WooCommerce begins on init (0): the boxes of the block checkout are named then.
		add_action( 'init', array( self::class, 'prepare' ), -10 );
		Settings_Page::register();
	}

	/**
	 * Loads our texts; makes key and address where they are altogether missing, as after a copy of the files by hand.
	 */
	public static function prepare(): void {
		load_plugin_textdomain( 'connector-carts', false, dirname( plugin_basename( CONNECTOR_CARTS_FILE ) ) . '/languages' );
		self::remember_home();
		if ( false === get_option( Link::KEY, false ) ) {
			Link::make_key();
		}
	}

	/**
	 * Remembers the site's address, unless one is remembered.
	 */
	public static function remember_home(): void {
		if ( '' === (string) get_option( self::HOME, '' ) ) {
			update_option( self::HOME, (string) get_option( 'home' ), true );
		}
	}

	/**
	 * Says that this site is the real store, wherever it was before.
	 */
	public static function move_in(): void {
		update_option( self::HOME, (string) get_option( 'home' ), true );
	}

	/**
	 * Whether the site has another address than the one it was switched on at: it may be a copy, and a copy must be silent.
	 */
	public static function moved(): bool {
		$remembered = self::place( (string) get_option( self::HOME, '' ) );
		return '' !== $remembered && self::place( (string) get_option( 'home' ) ) !== $remembered;
	}

	/**
	 * The part of an address that tells one site from another: not the scheme, not "www.".
	 *
	 * @param string $url The address.
	 */
	private static function place( string $url ): string {
		return untrailingslashit( (string) preg_replace( '#\Ahttps?://(www\.)?#', '', strtolower( $url ) ) );
	}

	/**
	 * Whether anything may be captured or sent at all.
	 */
	public static function may_capture(): bool {
		return 'off' !== self::capture_mode() && ! self::moved();
	}

	/**
	 * Whose carts are saved: everyone, opt_in, logged_in or off.
	 */
	public static function capture_mode(): string {
		$mode = self::read()['mode'] ?? 'everyone';
		return in_array( $mode, self::MODES, true ) ? $mode : 'off';
	}

	/**
	 * What stands beside the box for e-mail or SMS; "" means that there is no such box.
	 *
	 * @param string $channel "email" or "sms".
	 */
	public static function wording( string $channel ): string {
		$name = 'sms' === $channel ? 'sms_wording' : 'email_wording';
		return (string) ( self::read()[ $name ] ?? self::own_words()[ $name ] );
	}

	/**
	 * What stands beside the box that stops the saving of a cart; "" means that there is no such box.
	 */
	public static function notice(): string {
		return 'everyone' === self::capture_mode() ? self::kept_notice() : '';
	}

	/**
	 * The same words, whether they are shown or not.
	 */
	public static function kept_notice(): string {
		return (string) ( self::read()['notice'] ?? self::own_words()['notice'] );
	}

	/**
	 * Our words beside the boxes, in the language of the page.
	 */
	private static function own_words(): array {
		return array(
			'email_wording' => __( 'Write to me by e-mail about my cart and about offers. I can stop this at any time.', 'connector-carts' ),
			'sms_wording'   => __( 'Write to me by text message about my cart and about offers. I can stop this at any time.', 'connector-carts' ),
			'notice'        => __( 'No thanks, do not save my cart to remind me of it.', 'connector-carts' ),
		);
	}

	/**
	 * Whether there is a box for SMS.
	 */
	public static function sms_box(): bool {
		return ! empty( self::read()['sms'] );
	}

	/**
	 * Whether an address given to a newsletter form may be used for later carts.
	 */
	public static function newsletter(): bool {
		return ! empty( self::read()['newsletter'] );
	}

	/**
	 * Whether WooCommerce's own reminder is held back while the connector sends them.
	 */
	public static function holds_back_core(): bool {
		return ! array_key_exists( 'hold_back_core', self::read() ) || ! empty( self::read()['hold_back_core'] );
	}

	/**
	 * Keeps what a form sent, in the only forms that are known.
	 *
	 * @param array $given Unslashed.
	 */
	public static function keep( array $given ): void {
		$mode = sanitize_key( $given['mode'] ?? '' );
		$kept = array(
			'mode'           => in_array( $mode, self::MODES, true ) ? $mode : 'off',
			'sms'            => ! empty( $given['sms'] ),
			'newsletter'     => ! empty( $given['newsletter'] ),
			'hold_back_core' => ! empty( $given['hold_back_core'] ),
		);
		foreach ( self::own_words() as $name => $words ) {
			$text = self::text( $given[ $name ] ?? '' );
			// Words that the merchant left as they are go on to follow the shopper's language.
			if ( $text !== $words ) {
				$kept[ $name ] = $text;
			}
		}
		update_option( self::OPTION, $kept, true );
	}

	/**
	 * The kept choices.
	 */
	private static function read(): array {
		$kept = get_option( self::OPTION, array() );
		return is_array( $kept ) ? $kept : array();
	}

	/**
	 * One line of plain text, not longer than a box can show.
	 *
	 * @param mixed $given Anything.
	 */
	private static function text( $given ): string {
		$text = sanitize_text_field( is_string( $given ) ? $given : '' );
		return function_exists( 'mb_substr' ) ? mb_substr( $text, 0, 500 ) : substr( $text, 0, 500 );
	}
}
