<?php
/**
 * Ends a cart when its shopper ordered.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Notes orders during a request and ends their carts once at its end, before Capture looks.
 *
 * A cart is found by the name on the order, then by customer and e-mail address: whoever bought is not reminded of
 * other carts either, however the order was made.
 */
final class Closing {

	/**
	 * The order's field with the cart's name; the underscore hides it from shoppers.
	 */
	const META = '_connector_cart';

	/**
	 * Statuses of an order that is not bought. On-hold is: the money is on its way.
	 */
	const UNBOUGHT = array( 'pending', 'failed', 'cancelled', 'checkout-draft', 'auto-draft', 'draft', 'new', 'trash', '' );

	/**
	 * Orders that are only being filled in: their carts go on.
	 */
	const DRAFTS = array( 'checkout-draft', 'auto-draft', 'draft', 'new', '' );

	/**
	 * Orders seen in this request, by id.
	 *
	 * @var array
	 */
	private static $orders = array();

	/**
	 * Binds stamping and closing.
	 */
	public static function register(): void {
		add_action( 'woocommerce_checkout_create_order', array( self::class, 'stamp' ) );
		add_action( 'woocommerce_store_api_checkout_update_order_meta', array( self::class, 'stamp_saved' ) );
		add_action( 'woocommerce_store_api_cart_update_order_from_request', array( self::class, 'stamp_saved' ) );
		add_action( 'woocommerce_checkout_order_processed', array( self::class, 'placed' ), 10, 3 );
		add_action( 'woocommerce_store_api_checkout_order_processed', array( self::class, 'note' ) );
		add_action( 'woocommerce_order_status_changed', array( self::class, 'moved' ), 10, 4 );
		add_action( 'woocommerce_new_order', array( self::class, 'made' ), 10, 2 );
		add_action( 'shutdown', array( self::class, 'close' ), Capture::PRIORITY - 1 );
	}

	/**
	 * Writes the cart's name on an order that is about to be saved.
	 *
	 * A draft carries it too, whether the cart may be kept or not: its cart speaks for it, or nothing does.
	 *
	 * @param \WC_Order $order An order or its draft.
	 */
	public static function stamp( $order ): void {
		Guard::run(
			static function () use ( $order ): void {
				self::name_on( $order );
			}
		);
	}

	/**
	 * The same for an order that WooCommerce does not save again by itself.
	 *
	 * @param \WC_Order $order An order or its draft.
	 */
	public static function stamp_saved( $order ): void {
		Guard::run(
			static function () use ( $order ): void {
				if ( self::name_on( $order ) && $order->get_id() > 0 ) {
					$order->save_meta_data();
				}
			}
		);
	}

	/**
	 * Notes an order placed on the classic checkout.
	 *
	 * @param mixed $id     The order's id.
	 * @param mixed $posted The form.
	 * @param mixed $order  The order.
	 */
	public static function placed( $id, $posted = array(), $order = null ): void {
		self::note( $order ? $order : wc_get_order( $id ) );
	}

	/**
	 * Notes an order whose status changed, wherever that was done.
	 *
	 * @param mixed $id    The order's id.
	 * @param mixed $from  What it was.
	 * @param mixed $to    What it is.
	 * @param mixed $order The order.
	 */
	public static function moved( $id, $from = '', $to = '', $order = null ): void {
		if ( ! in_array( (string) $to, self::UNBOUGHT, true ) && in_array( (string) $from, self::UNBOUGHT, true ) ) {
			self::note( $order ? $order : wc_get_order( $id ) );
		}
	}

	/**
	 * Notes a new order that was bought at once, by phone or through the store's API.
	 *
	 * @param mixed $id    The order's id.
	 * @param mixed $order The order.
	 */
	public static function made( $id, $order = null ): void {
		$order = $order ? $order : wc_get_order( $id );
		if ( $order && ! in_array( $order->get_status(), self::UNBOUGHT, true ) ) {
			self::note( $order );
		}
	}

	/**
	 * Notes an order; its state at the end of the request counts.
	 *
	 * @param mixed $order A WC_Order.
	 */
	public static function note( $order ): void {
		// A renewal is paid without its customer being there: it buys no cart.
		if ( $order instanceof \WC_Order && 'subscription' !== $order->get_created_via() && ! in_array( $order->get_status(), self::DRAFTS, true ) ) {
			self::$orders[ $order->get_id() ] = $order;
			Visit::write( array( 'closed_at' => time() ) );
		}
	}

	/**
	 * Ends the carts of the orders that were noted.
	 */
	public static function close(): void {
		$orders       = self::$orders;
		self::$orders = array();
		foreach ( Settings::moved() ? array() : $orders as $order ) {
			Guard::run(
				static function () use ( $order ): void {
					self::close_for( $order );
				}
			);
		}
	}

	/**
	 * Ends the carts of one order.
	 *
	 * @param \WC_Order $order The order.
	 */
	private static function close_for( $order ): void {
		$bought = ! in_array( $order->get_status(), self::UNBOUGHT, true );
		$own    = Cart_Store::get( (string) $order->get_meta( self::META ) );
		if ( null !== $own ) {
			$own['stage'] = 'checkout';
			self::end( $own, $bought ? 'ordered' : 'placed', $order->get_id() );
		}
		foreach ( $bought ? self::others_of( $order ) : array() as $other ) {
			self::end( $other, 'ordered', $order->get_id() );
		}
	}

	/**
	 * Sets the cart's name on an order; says whether that changed the order.
	 *
	 * @param \WC_Order $order An order or its draft.
	 */
	private static function name_on( $order ): bool {
		$present = (string) $order->get_meta( self::META );
		if ( ! Visit::goes_on() || ( '' !== $present && ! in_array( $order->get_status(), self::DRAFTS, true ) ) ) {
			return false;
		}
		Capture::touch();
		$token = Capture::token();
		if ( $token === $present ) {
			return false;
		}
		$order->update_meta_data( self::META, $token );
		return true;
	}

	/**
	 * Every open cart of whoever bought.
	 *
	 * @param \WC_Order $order The order.
	 */
	private static function others_of( $order ): array {
		$carts = array_merge(
			Cart_Store::open_of_user( (int) $order->get_customer_id() ),
			Cart_Store::open_of_email( (string) $order->get_billing_email() )
		);
		return array_column( $carts, null, 'token' );
	}

	/**
	 * Ends one cart, unless it is further along already.
	 *
	 * @param array  $row    The cart.
	 * @param string $status `placed` or `ordered`.
	 * @param int    $order  The order's id.
	 */
	private static function end( array $row, string $status, int $order ): void {
		if ( $row['status'] === $status || ! Cart_Store::may_become( $row['status'], $status ) ) {
			return;
		}
		$row['status']   = $status;
		$row['order_id'] = $order;
		$saved           = Cart_Store::save( $row );
		if ( $saved['status'] === $status ) {
			Webhook::announce( $saved );
		}
	}
}
