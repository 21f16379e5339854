<?php
/**
 * Keeps a shopper's cart once the shopper can be reached.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * During a request changes are only noticed; at its end the cart is written once, if anything is different.
 */
final class Capture {

	/**
	 * After an order a session sometimes still holds the bought cart; for so long it starts no new one.
	 */
	const QUIET_SECONDS = 300;

	/**
	 * Before WooCommerce queues webhooks (10) and saves the session (20), after Closing (4).
	 */
	const PRIORITY = 5;

	/**
	 * Whether something changed in this request.
	 *
	 * @var bool
	 */
	private static $touched = false;

	/**
	 * Whether this request came from a checkout.
	 *
	 * @var bool
	 */
	private static $at_checkout = false;

	/**
	 * Whether this request only opened a cart's link.
	 *
	 * @var bool
	 */
	private static $only_looked = false;

	/**
	 * Whether the shopper just signed in.
	 *
	 * @var bool
	 */
	private static $signed_in = false;

	/**
	 * Binds every place where a cart changes or a contact becomes known.
	 */
	public static function register(): void {
		$changes = array( 'add_to_cart', 'cart_item_removed', 'cart_item_restored', 'after_cart_item_quantity_update', 'applied_coupon', 'removed_coupon' );
		foreach ( $changes as $change ) {
			add_action( 'woocommerce_' . $change, array( self::class, 'touch' ), 10, 0 );
		}
		add_action( 'woocommerce_cart_emptied', array( self::class, 'emptied' ) );
		add_action( 'woocommerce_guest_session_to_user_id', array( self::class, 'signed_in' ), 10, 0 );
		add_action( 'woocommerce_store_api_cart_update_customer_from_request', array( self::class, 'block_customer' ), 10, 2 );
		add_action( 'woocommerce_store_api_checkout_update_customer_from_request', array( self::class, 'block_customer' ), 10, 2 );
		add_action( 'woocommerce_store_api_checkout_update_draft', array( self::class, 'block_form' ) );
		add_action( 'woocommerce_store_api_checkout_update_order_from_request', array( self::class, 'block_order_form' ), 10, 2 );
		add_action( 'woocommerce_checkout_update_order_review', array( self::class, 'classic_form' ) );
		add_action( 'woocommerce_checkout_process', array( self::class, 'classic_order' ) );
		add_action( 'template_redirect', array( self::class, 'page' ) );
		add_action( 'shutdown', array( self::class, 'write' ), self::PRIORITY );
	}

	/**
	 * Notes that the cart may be different when this request ends.
	 */
	public static function touch(): void {
		self::$touched = true;
	}

	/**
	 * Notes that the cart was emptied. Signing out and the page after an order empty it too, but keep the saved cart
	 * of the customer: then the shopper threw nothing away.
	 *
	 * @param mixed $saved_too Whether the customer's saved cart was emptied as well.
	 */
	public static function emptied( $saved_too = true ): void {
		self::$touched = self::$touched || false !== $saved_too;
	}

	/**
	 * Notes that a guest became a signed-in customer, cart and all.
	 */
	public static function signed_in(): void {
		self::$signed_in = true;
		self::touch();
	}

	/**
	 * Takes the address that the block checkout pushed.
	 *
	 * @param \WC_Customer     $customer With the new values set.
	 * @param \WP_REST_Request $request  The request.
	 */
	public static function block_customer( $customer, $request ): void {
		Guard::run(
			static function () use ( $customer ): void {
				Contact::know( Contact::of_customer( $customer ) );
			}
		);
		self::block_form( $request );
	}

	/**
	 * Takes what the block checkout's form says beside the address.
	 *
	 * @param \WP_REST_Request $request The request.
	 */
	public static function block_form( $request ): void {
		Guard::run(
			static function () use ( $request ): void {
				Boxes::take_from_block( $request );
			}
		);
		self::at_checkout();
	}

	/**
	 * The same where WooCommerce hands over the order first.
	 *
	 * @param \WC_Order        $order   The order or its draft.
	 * @param \WP_REST_Request $request The request.
	 */
	public static function block_order_form( $order, $request ): void {
		self::block_form( $request );
	}

	/**
	 * Takes the classic checkout's form, as WooCommerce's own call sends it while it is filled in.
	 *
	 * @param mixed $posted The form, encoded for a URL.
	 */
	public static function classic_form( $posted ): void {
		$form = array();
		wp_parse_str( is_string( $posted ) ? $posted : '', $form );
		self::take_form( $form );
	}

	/**
	 * Takes the classic checkout's form when the order is placed; WooCommerce has checked its nonce.
	 */
	public static function classic_order(): void {
		self::take_form( wp_unslash( $_POST ) ); // phpcs:ignore WordPress.Security.NonceVerification.Missing
	}

	/**
	 * Notes that the checkout page is opened; whoever is known already need not type anything there.
	 */
	public static function page(): void {
		if ( is_checkout() && ! is_wc_endpoint_url( 'order-received' ) && ! is_wc_endpoint_url( 'order-pay' ) ) {
			self::at_checkout();
		}
	}

	/**
	 * The present cart's name; a cart without one gets one.
	 *
	 * A signed-in customer has one cart on all devices, so an open one is gone on with. A name whose story ended is not
	 * used again.
	 */
	public static function token(): string {
		$token = Visit::read()['token'];
		if ( '' === $token ) {
			$open = Cart_Store::open_of_user( get_current_user_id() );
			if ( $open ) {
				Visit::write( array( 'token' => $open[0]['token'] ) );
				return $open[0]['token'];
			}
			return Visit::rename();
		}
		$row = Cart_Store::get( $token );
		$end = null !== $row && in_array( $row['status'], Cart_Store::FINAL_STATUSES, true );
		return $end && ! self::is_quiet( $row ) ? Visit::rename() : $token;
	}

	/**
	 * Goes on with a cart that came by its link, unless this visit has a cart of its own that is known.
	 *
	 * The kept cart stays as it is until the visitor does something: programs that look at mail open links too.
	 *
	 * @param string $token The cart's name, from a link that was checked.
	 */
	public static function adopt( string $token ): void {
		$row = Cart_Store::get( $token );
		$own = Visit::read()['token'];
		if ( null === $row || 'open' !== $row['status'] || $own === $token || Consent::refused() || ( '' !== $own && null !== Cart_Store::get( $own ) ) ) {
			return;
		}
		Visit::write(
			array(
				'token'   => $token,
				'adopted' => true,
			)
		);
		self::$only_looked = true;
	}

	/**
	 * Writes the cart, once, if anything in it is different from what was written before.
	 */
	public static function write(): void {
		Guard::run( array( self::class, 'write_if_changed' ) );
		self::$touched     = false;
		self::$at_checkout = false;
		self::$signed_in   = false;
		self::$only_looked = false;
	}

	/**
	 * The same, with this request's notes still there.
	 */
	public static function write_if_changed(): void {
		if ( ! self::$touched || self::$only_looked || ! Visit::goes_on() || ! is_object( WC()->cart ?? null ) || Settings::moved() ) {
			return;
		}
		$allowed = Consent::allowed_part( Contact::present() );
		if ( '' === $allowed['email'] . $allowed['phone'] && ! self::is_kept_already() ) {
			self::let_go();
			return;
		}
		if ( ! Consent::may_capture( $allowed ) ) {
			return;
		}
		$before = self::row_to_write( $allowed );
		$after  = null === $before ? null : self::row_of( $before, $allowed );
		if ( null === $after || $after['hash'] === $before['hash'] ) {
			return;
		}
		$saved = Cart_Store::save( $after );
		if ( $saved['hash'] === $after['hash'] ) {
			Webhook::announce( $saved );
			self::close_doubles( $saved );
		}
	}

	/**
	 * Takes contact and boxes from a classic form.
	 *
	 * @param array $form The form's fields.
	 */
	private static function take_form( array $form ): void {
		Guard::run(
			static function () use ( $form ): void {
				Contact::know( Contact::of_form( $form ) );
				Boxes::take_from_classic( $form );
			}
		);
		self::at_checkout();
	}

	/**
	 * Notes that the shopper reached the checkout.
	 */
	private static function at_checkout(): void {
		self::$at_checkout = true;
		self::touch();
	}

	/**
	 * Whether this visit goes on with a cart from a link: whose it is, is known from before. A page that was only
	 * looked at changes nothing in it; mail scanners follow the link's redirect as well.
	 */
	private static function is_kept_already(): bool {
		$looked = in_array( $_SERVER['REQUEST_METHOD'] ?? 'GET', array( 'GET', 'HEAD' ), true );
		return ! $looked && Visit::read()['adopted'] && Consent::mode_allows() && ! Consent::refused();
	}

	/**
	 * The row this visit may write now, a new one if it has none yet; null where nothing is to be written.
	 *
	 * @param array $contact What may be kept of the contact.
	 */
	private static function row_to_write( array $contact ): ?array {
		$visit = Visit::read();
		$email = $contact['email'];
		if ( time() - (int) $visit['closed_at'] < self::QUIET_SECONDS ) {
			return null;
		}
		$token = self::token();
		$row   = Cart_Store::get( $token );
		if ( null !== $row && in_array( $row['status'], Cart_Store::FINAL_STATUSES, true ) ) {
			return null;
		}
		if ( null !== $row && $visit['adopted'] && Contact::is_another_person( $row, $contact ) ) {
			if ( '' === $email ) {
				return null;
			}
			// A link that was passed on: two people must not share a cart.
			$token = Visit::rename();
			$row   = null;
		}
		if ( null === $row && ( '' === $email . $contact['phone'] || ! self::is_worth_keeping() || self::just_ordered( $email ) ) ) {
			return null;
		}
		return $row ?? array_merge( Cart_Store::EMPTY_ROW, array( 'token' => $token ) );
	}

	/**
	 * Whether the cart holds anything that costs something.
	 */
	private static function is_worth_keeping(): bool {
		return ! WC()->cart->is_empty() && (float) WC()->cart->get_subtotal() > 0;
	}

	/**
	 * The row as this visit would write it.
	 *
	 * @param array $before  As it stands.
	 * @param array $contact What may be kept of the contact; an unknown part leaves what is there. Of somebody who gave
	 *                       no address nothing is taken: the country may be WooCommerce's guess.
	 */
	private static function row_of( array $before, array $contact ): array {
		$contact         = '' === $contact['email'] . $contact['phone'] ? array() : $contact;
		$row             = Consent::without_revoked( array_merge( $before, array_filter( $contact, 'strlen' ) ) );
		$row['status']   = WC()->cart->is_empty() ? 'emptied' : 'open';
		$row['stage']    = self::$at_checkout ? 'checkout' : $before['stage'];
		$row['user_id']  = get_current_user_id() > 0 ? get_current_user_id() : $before['user_id'];
		$row['consents'] = array_values( Consent::states() ) ? array_values( Consent::states() ) : $before['consents'];
		$row['currency'] = (string) get_woocommerce_currency();
		$row['locale']   = (string) get_locale();
		$row['cart']     = Cart_Reader::read( WC()->cart );
		$row['hash']     = sha1( (string) wp_json_encode( array_diff_key( $row, array_flip( array( 'seq', 'created_at', 'updated_at', 'hash' ) ) ) ) );
		return $row;
	}

	/**
	 * Empties the kept cart of a shopper who said no, or took the needed consent back.
	 */
	private static function let_go(): void {
		$row = Consent::refused() ? Cart_Store::get( Visit::read()['token'] ) : null;
		if ( null !== $row && in_array( $row['status'], array( 'open', 'emptied' ), true ) ) {
			Cart_Store::forget( $row['token'] );
		}
		foreach ( Consent::opted_out() ? Cart_Store::open_of_user( get_current_user_id() ) : array() as $other ) {
			Cart_Store::forget( $other['token'] );
		}
	}

	/**
	 * Whether this person ordered a moment ago; an account made while paying takes the session's own note with it.
	 *
	 * @param string $email The shopper's, or "".
	 */
	private static function just_ordered( string $email ): bool {
		foreach ( array_merge( Cart_Store::of_user( get_current_user_id() ), Cart_Store::of_email( $email ) ) as $row ) {
			if ( in_array( $row['status'], array( 'placed', 'ordered' ), true ) && self::is_quiet( $row ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Whether an order ended this cart so short ago that the session may still hold what was bought.
	 *
	 * @param array $row A final row.
	 */
	private static function is_quiet( array $row ): bool {
		return 'forgotten' !== $row['status'] && time() - (int) strtotime( $row['updated_at'] . ' UTC' ) < self::QUIET_SECONDS;
	}

	/**
	 * After signing in, what the customer's older carts held lies in this one: they are empty now.
	 *
	 * @param array $saved The cart that goes on.
	 */
	private static function close_doubles( array $saved ): void {
		$others = self::$signed_in ? Cart_Store::open_of_user( $saved['user_id'] ) : array();
		foreach ( $others as $other ) {
			if ( $other['token'] !== $saved['token'] ) {
				$other['status'] = 'emptied';
				$other['cart']   = array();
				$other['hash']   = '';
				Webhook::announce( Cart_Store::save( $other ) );
			}
		}
	}
}
