<?php
/**
 * Signed addresses that bring a shopper back to a cart.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Makes and checks `?connector_cart=<token>.<expiry>.<HMAC-SHA256>`.
 *
 * A link names a cart by its random token and nothing else. Without a good key none is made and none is taken.
 */
final class Link {

	/**
	 * The parameter of the address.
	 */
	const PARAMETER = 'connector_cart';

	/**
	 * How long a link holds at least; it ends with the day.
	 */
	const DAYS = 30;

	/**
	 * Where the signing key is kept: 64 hex digits, 32 random bytes.
	 */
	const KEY = 'connector_carts_key';

	/**
	 * Makes the signing key, unless there is a good one.
	 */
	public static function make_key(): void {
		if ( '' === self::key() ) {
			update_option( self::KEY, bin2hex( random_bytes( 32 ) ), true );
		}
	}

	/**
	 * The address that brings a cart back, or "" where no good key is there to sign it.
	 *
	 * @param string $token The cart's name.
	 */
	public static function url( string $token ): string {
		$key = self::key();
		if ( '' === $key || ! self::is_token( $token ) ) {
			return '';
		}
		// The same for a whole day, so that one cart does not have a new address each time somebody asks.
		$expiry = ( intdiv( time(), DAY_IN_SECONDS ) + self::DAYS + 1 ) * DAY_IN_SECONDS;
		// Not home_url(): language plugins and the scheme of the present request change that one.
		$home = untrailingslashit( (string) get_option( 'home' ) );
		return $home . '/?' . self::PARAMETER . '=' . $token . '.' . $expiry . '.' . self::signature( $token, $expiry, $key );
	}

	/**
	 * The cart that a link names: null if it is not ours, was changed, or has ended.
	 *
	 * @param string $text The parameter's value, as it came.
	 */
	public static function token_of( string $text ): ?string {
		$parts = self::signed_parts( $text );
		return null !== $parts && $parts[1] > time() ? $parts[0] : null;
	}

	/**
	 * Whether a link is ours, unchanged, and over.
	 *
	 * @param string $text The parameter's value, as it came.
	 */
	public static function has_ended( string $text ): bool {
		$parts = self::signed_parts( $text );
		return null !== $parts && $parts[1] <= time();
	}

	/**
	 * Token and expiry of a link whose signature is right.
	 *
	 * @param string $text The parameter's value, as it came.
	 */
	private static function signed_parts( string $text ): ?array {
		$key = self::key();
		if ( '' === $key || 1 !== preg_match( '/\A([0-9a-f]{32})\.([1-9][0-9]{9})\.([0-9a-f]{64})\z/', $text, $found ) ) {
			return null;
		}
		$right = self::signature( $found[1], (int) $found[2], $key );
		return hash_equals( $right, $found[3] ) ? array( $found[1], (int) $found[2] ) : null;
	}

	/**
	 * What only this site can write under a token and an expiry.
	 *
	 * @param string $token  The cart's name.
	 * @param int    $expiry Seconds since 1970.
	 * @param string $key    Hex digits.
	 */
	private static function signature( string $token, int $expiry, string $key ): string {
		return hash_hmac( 'sha256', 'connector-carts restore ' . $token . '.' . $expiry, (string) hex2bin( $key ) );
	}

	/**
	 * The signing key, or "" if it is missing, too short, or of the kind that somebody types.
	 */
	private static function key(): string {
		$key = get_option( self::KEY, '' );
		if ( ! is_string( $key ) || 1 !== preg_match( '/\A[0-9a-f]{64}\z/', $key ) ) {
			return '';
		}
		// 32 random bytes hold far more than eight different ones; a default such as 000… or deadbeef… does not.
		return count( array_unique( str_split( $key, 2 ) ) ) > 8 ? $key : '';
	}

	/**
	 * Whether a text has the form of a cart's name.
	 *
	 * @param string $text Anything.
	 */
	private static function is_token( string $text ): bool {
		return 1 === preg_match( '/\A[0-9a-f]{32}\z/', $text );
	}
}
