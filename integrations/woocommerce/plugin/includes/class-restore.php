<?php
/**
 * The way back into a cart.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/class-merge.php';
require_once __DIR__ . '/class-tongue.php';

/**
 * Answers signed links: merges the saved cart into the visitor's own, or leads to the payment of its order.
 *
 * A link changes nothing but the cart of whoever opens it. It logs nobody in, and nothing personal of the saved cart
 * reaches the page: neither shown nor filled into a form.
 */
final class Restore {

	/**
	 * Binds the answer late enough for WooCommerce to have the visitor's cart, early enough to send the browser on.
	 */
	public static function register(): void {
		add_action( 'wp_loaded', array( self::class, 'answer' ), 25 );
	}

	/**
	 * Answers a request that has our parameter; all others go on.
	 */
	public static function answer(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- the link is signed.
		$given = $_GET[ Link::PARAMETER ] ?? null;
		if ( null === $given || is_admin() || wp_doing_cron() || ! self::has_cart() ) {
			return;
		}
		nocache_headers();
		header( 'Referrer-Policy: no-referrer' );
		header( 'X-Robots-Tag: noindex, nofollow' );
		$text  = is_string( $given ) ? sanitize_text_field( wp_unslash( $given ) ) : '';
		$token = Link::token_of( $text );
		if ( null === $token && ! Link::has_ended( $text ) ) {
			self::not_found();
			return;
		}
		if ( self::is_only_looking() ) {
			return;
		}
		null === $token ? self::to_cart( __( 'This link has ended. It did not change your cart.', 'connector-carts' ) ) : self::open( $token );
	}

	/**
	 * Takes the visitor to what became of the cart.
	 *
	 * @param string $token The cart's name.
	 */
	private static function open( string $token ): void {
		$row = Cart_Store::get( $token );
		if ( null === $row || 'forgotten' === $row['status'] ) {
			self::to_cart( __( 'This cart is no longer saved.', 'connector-carts' ) );
			return;
		}
		Tongue::speak( $row );
		if ( 'emptied' === $row['status'] ) {
			self::to_cart( __( 'This cart was emptied, so nothing was added to yours.', 'connector-carts' ), $row );
			return;
		}
		if ( $row['order_id'] > 0 && self::answer_order( $row ) ) {
			return;
		}
		self::bring_back( $row );
	}

	/**
	 * Merges the saved cart and leads to the checkout; to the cart, if there is something to tell.
	 *
	 * @param array $row The saved cart.
	 */
	private static function bring_back( array $row ): void {
		self::keep_session();
		$told = self::merged( $row );
		if ( $told ) {
			wc_add_notice( self::list_of( $told ), 'notice' );
		}
		// Last of all: what the merge touched is not to be written into the saved cart.
		Capture::adopt( $row['token'] );
		$page = $told || WC()->cart->is_empty() ? 'cart' : 'checkout';
		self::leave( Tongue::page( $page, $row ), $row );
	}

	/**
	 * Merges the saved cart and gives back what to tell; a plugin that fails on the way costs the rest of it, not the page.
	 *
	 * @param array $row The saved cart.
	 */
	private static function merged( array $row ): array {
		$told = array( esc_html__( 'Your cart could not be brought back completely.', 'connector-carts' ) );
		Guard::run(
			static function () use ( $row, &$told ): void {
				$told = Merge::into( WC()->cart, $row );
			}
		);
		return $told;
	}

	/**
	 * Several sentences as one message, so that they do not push the cart off the screen.
	 *
	 * @param string[] $sentences HTML that is safe to show; at least one.
	 */
	private static function list_of( array $sentences ): string {
		if ( 1 === count( $sentences ) ) {
			return $sentences[0];
		}
		return esc_html__( 'Since you left your cart, something has changed:', 'connector-carts' ) . '<ul><li>' . implode( '</li><li>', $sentences ) . '</li></ul>';
	}

	/**
	 * Leads to the payment of an order, or says that it was placed. False if the cart may be rebuilt instead.
	 *
	 * @param array $row The saved cart, with the number of its order.
	 */
	private static function answer_order( array $row ): bool {
		$order = wc_get_order( $row['order_id'] );
		if ( ! $order instanceof \WC_Order ) {
			return false;
		}
		// The stamp proves that this very cart became the order. A cart that was closed by its e-mail address has none: its
		// link must not open the order of somebody who only shares the address.
		$is_its_own = $order->get_meta( '_connector_cart' ) === $row['token'];
		if ( $order->needs_payment() ) {
			$is_its_own ? self::leave( $order->get_checkout_payment_url(), $row ) : self::to_cart( '', $row );
			return true;
		}
		if ( $order->has_status( 'cancelled' ) && null === $order->get_date_paid() ) {
			return false;
		}
		if ( $order->has_status( array( 'cancelled', 'refunded', 'trash' ) ) ) {
			self::to_cart( __( 'The order of this cart was cancelled. Nothing was added to your cart.', 'connector-carts' ), $row );
			return true;
		}
		self::thank( $row );
		return true;
	}

	/**
	 * Says thank you without a word of the order: WooCommerce's page without number and key shows nothing of it.
	 *
	 * @param array $row The saved cart.
	 */
	private static function thank( array $row ): void {
		if ( WC()->cart->is_empty() ) {
			self::leave( wc_get_endpoint_url( 'order-received', '', Tongue::page( 'checkout', $row ) ), $row );
			return;
		}
		// That page empties the visitor's cart, so whoever has begun a new one is told there.
		self::to_cart( __( 'Thank you. The order of this cart has been received. Nothing was added to your cart.', 'connector-carts' ), $row );
	}

	/**
	 * Leads to the cart, with a message.
	 *
	 * @param string $message What to say, "" for nothing.
	 * @param array  $row     The saved cart, if it may set language and currency.
	 */
	private static function to_cart( string $message, array $row = array() ): void {
		if ( '' !== $message ) {
			self::keep_session();
			wc_add_notice( esc_html( $message ), 'notice' );
		}
		self::leave( Tongue::page( 'cart', $row ), $row );
	}

	/**
	 * Sends the browser on, with what the sender of the link wrote into it to count visits.
	 *
	 * @param string $url Where to.
	 * @param array  $row The saved cart, or an empty array.
	 */
	private static function leave( string $url, array $row ): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended
		foreach ( wp_unslash( $_GET ) as $name => $value ) {
			if ( is_string( $value ) && 1 === preg_match( '/\Autm_[a-z_]{1,40}\z/', (string) $name ) ) {
				$url = add_query_arg( $name, rawurlencode( sanitize_text_field( $value ) ), $url );
			}
		}
		/**
		 * Where a restore link leads to; for plugins that show language or currency in the address.
		 *
		 * @param string $url      The cart, the checkout, or the payment of the order.
		 * @param string $currency Of the saved cart, such as EUR; "" if unknown.
		 * @param string $locale   Of the saved cart, such as fr_FR; "" if unknown.
		 */
		$url = (string) apply_filters( 'connector_carts_restore_target', $url, (string) ( $row['currency'] ?? '' ), (string) ( $row['locale'] ?? '' ) );
		// Whatever a plugin made of the address, it stays on this site.
		wp_safe_redirect( wp_validate_redirect( $url, home_url( '/' ) ) );
		exit;
	}

	/**
	 * Shows the site's own page for what does not exist.
	 */
	private static function not_found(): void {
		remove_action( 'template_redirect', 'redirect_canonical' );
		add_action(
			'template_redirect',
			static function (): void {
				global $wp_query;
				$wp_query->set_404();
				status_header( 404 );
				nocache_headers();
			},
			0
		);
	}

	/**
	 * Whether nobody is there yet: a check of the address, or a browser that loads pages in advance.
	 */
	private static function is_only_looking(): bool {
		if ( 'GET' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
			return true;
		}
		foreach ( array( 'HTTP_SEC_PURPOSE', 'HTTP_PURPOSE', 'HTTP_X_PURPOSE', 'HTTP_X_MOZ' ) as $name ) {
			$value = sanitize_text_field( wp_unslash( $_SERVER[ $name ] ?? '' ) );
			if ( false !== stripos( $value, 'prefetch' ) || false !== stripos( $value, 'preview' ) ) {
				// An answer that no browser keeps: the click that follows must reach us.
				wp_die( '', '', array( 'response' => 503 ) );
			}
		}
		return false;
	}

	/**
	 * Whether WooCommerce has a cart for this request.
	 */
	private static function has_cart(): bool {
		return function_exists( 'WC' ) && WC()->cart instanceof \WC_Cart && is_object( WC()->session ) && ! WC()->is_rest_api_request();
	}

	/**
	 * Gives a visitor without one WooCommerce's own session, as adding a product would: messages live in it.
	 */
	private static function keep_session(): void {
		if ( ! WC()->session->has_session() ) {
			WC()->session->set_customer_session_cookie( true );
		}
	}
}
