<?php
/**
 * What shoppers agreed to, and whether their cart may be kept.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * The last state of each box wins; with it we keep when it was reached and what stood beside the box.
 */
final class Consent {

	/**
	 * Where the states of a signed-in customer outlive the visit.
	 */
	const USER_CONSENTS = '_connector_carts_consents';
	const USER_OPT_OUT  = '_connector_carts_opt_out';

	/**
	 * The channels a shopper can agree to.
	 */
	const CHANNELS = array( 'email', 'sms' );

	/**
	 * Google's own test shopper; its carts are nobody's.
	 */
	const STOREBOT = '@storebotmail.joonix.net';

	/**
	 * Programs that shop but are no shoppers. A phone maker is called Cubot.
	 */
	const ROBOTS = '~(?<!cu)bot\b|bot[/;-]|crawl|spider|slurp|facebookexternalhit|embedly|lighthouse|pingdom|uptime|monitor|wget|curl/|python-|go-http~i';

	/**
	 * Binds the ways an address reaches us outside the checkout.
	 */
	public static function register(): void {
		add_action( 'connector_carts_email_given', array( self::class, 'newsletter_email' ) );
		add_action( 'mc4wp_form_subscribed', array( self::class, 'newsletter_form' ), 10, 2 );
	}

	/**
	 * Takes what the shown boxes say now.
	 *
	 * A box that was never ticked and still is not says nothing; one that was ticked and no longer is takes the
	 * consent back.
	 *
	 * @param array  $ticks  `email`, `sms`, `no_thanks`: whether it is ticked; boxes that were not shown are left out.
	 * @param string $source `block` or `classic`.
	 */
	public static function take( array $ticks, string $source ): void {
		$states = self::states();
		foreach ( self::CHANNELS as $channel ) {
			$was = 'subscribed' === ( $states[ $channel ]['state'] ?? '' );
			if ( ! isset( $ticks[ $channel ] ) || $was === (bool) $ticks[ $channel ] ) {
				continue;
			}
			$states[ $channel ] = array(
				'channel' => $channel,
				'state'   => $ticks[ $channel ] ? 'subscribed' : 'unsubscribed',
				'at'      => gmdate( 'Y-m-d\TH:i:s\Z' ),
				'wording' => Settings::wording( $channel ),
				'source'  => $source,
			);
		}
		$changes = array( 'consents' => $states );
		if ( isset( $ticks['no_thanks'] ) ) {
			$changes['opt_out'] = (bool) $ticks['no_thanks'];
		}
		Visit::write( $changes );
		self::keep_for_user( $changes );
	}

	/**
	 * The present state of each channel that has one, by channel.
	 */
	public static function states(): array {
		$states = Visit::read()['consents'];
		if ( array() === $states && get_current_user_id() > 0 ) {
			$kept   = get_user_meta( get_current_user_id(), self::USER_CONSENTS, true );
			$states = is_array( $kept ) ? array_intersect_key( $kept, array_flip( self::CHANNELS ) ) : array();
		}
		return $states;
	}

	/**
	 * Whether the shopper agreed to hear from the shop this way.
	 *
	 * @param string $channel `email` or `sms`.
	 */
	public static function given( string $channel ): bool {
		return 'subscribed' === ( self::states()[ $channel ]['state'] ?? '' );
	}

	/**
	 * Whether the shopper said "No thanks" to being reminded.
	 */
	public static function opted_out(): bool {
		return Visit::read()['opt_out'] || '1' === (string) get_user_meta( get_current_user_id(), self::USER_OPT_OUT, true );
	}

	/**
	 * Whether the shopper refuses that the cart is kept: by "No thanks", or by taking back a consent the shop's rule needs.
	 */
	public static function refused(): bool {
		return self::opted_out() || in_array( 'unsubscribed', array_map( array( self::class, 'needed_state' ), self::CHANNELS ), true );
	}

	/**
	 * What of a contact may be kept under the shop's rule and the shopper's will; nothing left means no cart is kept.
	 *
	 * @param array $contact `email`, `phone` and the rest.
	 */
	public static function allowed_part( array $contact ): array {
		if ( self::opted_out() || ! self::mode_allows() ) {
			return self::without( $contact, self::CHANNELS );
		}
		if ( 'opt_in' !== Settings::capture_mode() ) {
			return $contact;
		}
		return self::without( $contact, array_filter( self::CHANNELS, array( self::class, 'is_withheld' ) ) );
	}

	/**
	 * A row without the addresses that the shopper no longer lets us keep.
	 *
	 * @param array $row A row.
	 */
	public static function without_revoked( array $row ): array {
		foreach ( self::CHANNELS as $channel ) {
			$row = 'unsubscribed' === self::needed_state( $channel ) ? self::without( $row, array( $channel ) ) : $row;
		}
		return $row;
	}

	/**
	 * The shopper's answer where the shop's rule needs one: `subscribed`, `unsubscribed`, or "".
	 *
	 * @param string $channel `email` or `sms`.
	 */
	public static function needed_state( string $channel ): string {
		return 'opt_in' === Settings::capture_mode() ? (string) ( self::states()[ $channel ]['state'] ?? '' ) : '';
	}

	/**
	 * Whether a cart with this contact may be kept at all: no robot, no shop staff, no veto.
	 *
	 * @param array $contact What would be kept.
	 */
	public static function may_capture( array $contact ): bool {
		$agent = isset( $_SERVER['HTTP_USER_AGENT'] ) ? sanitize_text_field( wp_unslash( $_SERVER['HTTP_USER_AGENT'] ) ) : '';
		if ( current_user_can( 'manage_woocommerce' ) || preg_match( self::ROBOTS, $agent ) ) {
			return false;
		}
		if ( self::STOREBOT === substr( strtolower( $contact['email'] ), -strlen( self::STOREBOT ) ) ) {
			return false;
		}
		/**
		 * Lets a consent plugin keep a cart from being stored and told.
		 *
		 * @param bool  $may     Whether it may be.
		 * @param array $contact What is known of the shopper.
		 */
		return (bool) apply_filters( 'connector_carts_may_capture', true, $contact );
	}

	/**
	 * Remembers an address given to a newsletter form, if the shop chose that; a cart of this visit may then use it.
	 *
	 * @param mixed $email What the form took.
	 */
	public static function newsletter_email( $email ): void {
		/**
		 * Lets a theme decide by its own form whether the address may be used.
		 *
		 * @param bool $use The shop's setting, off unless chosen.
		 */
		if ( ! apply_filters( 'connector_carts_use_newsletter_email', Settings::newsletter() ) || ! is_string( $email ) || ! is_email( $email ) ) {
			return;
		}
		Visit::write( array( 'newsletter' => Cart_Store::address( $email ) ) );
		Capture::touch();
	}

	/**
	 * The same for "MC4WP: Mailchimp for WordPress", which hands over its form first.
	 *
	 * @param mixed $form  The form.
	 * @param mixed $email The address.
	 */
	public static function newsletter_form( $form, $email = '' ): void {
		self::newsletter_email( $email );
	}

	/**
	 * Whether the shop keeps carts of this kind of visitor.
	 */
	public static function mode_allows(): bool {
		return Settings::may_capture() && ( 'logged_in' !== Settings::capture_mode() || get_current_user_id() > 0 );
	}

	/**
	 * Whether a channel's address must not be kept without consent to that channel.
	 *
	 * @param string $channel `email` or `sms`.
	 */
	private static function is_withheld( string $channel ): bool {
		return ! self::given( $channel );
	}

	/**
	 * A contact without the addresses of some channels.
	 *
	 * @param array $contact  The contact.
	 * @param array $channels `email`, `sms`.
	 */
	private static function without( array $contact, array $channels ): array {
		foreach ( $channels as $channel ) {
			$contact[ 'sms' === $channel ? 'phone' : 'email' ] = '';
		}
		return $contact;
	}

	/**
	 * Remembers a signed-in customer's choice for later visits.
	 *
	 * @param array $changes What was just taken.
	 */
	private static function keep_for_user( array $changes ): void {
		$user = get_current_user_id();
		if ( $user < 1 ) {
			return;
		}
		if ( array() !== $changes['consents'] ) {
			update_user_meta( $user, self::USER_CONSENTS, $changes['consents'] );
		}
		if ( ! empty( $changes['opt_out'] ) ) {
			update_user_meta( $user, self::USER_OPT_OUT, '1' );
		} elseif ( isset( $changes['opt_out'] ) ) {
			delete_user_meta( $user, self::USER_OPT_OUT );
		}
	}
}
