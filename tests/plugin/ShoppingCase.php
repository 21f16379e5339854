<?php
/**
 * Shoppers: what they do at the shop, as WooCommerce tells it to the plugin.
 */

namespace ConnectorCarts\Tests;

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Visit;

abstract class ShoppingCase extends TestCase {

	/** @var array<int, string> Tokens that were announced to the webhook, in order. */
	protected $told = array();

	protected function setUp(): void {
		parent::setUp();
		$this->told                = array();
		$_SERVER['REQUEST_METHOD'] = 'POST';
		$this->end_of_request();
		World::product( 36, array( 'name' => 'Mug', 'price' => '12.00', 'sku' => 'MUG', 'image_id' => 9 ) );
		World::product( 40, array( 'name' => 'Tea', 'price' => '4.50' ) );
		World::product( 41, array( 'name' => 'Sample', 'price' => '0' ) );
		add_action(
			'wc_connector_cart',
			function ( $token ) {
				$this->told[] = $token;
			}
		);
	}

	/** A failure that the guard swallowed is a failure here. */
	protected function tearDown(): void {
		$this->assertSame( array(), World::$traces['log'] ?? array() );
		parent::tearDown();
	}

	/** Another browser: no session, an empty cart. */
	protected function new_visitor(): void {
		World::$shop = new \WooCommerce();
		World::$user = 0;
	}

	/** Put something into the cart; one request. */
	protected function add( int $product = 36, int $quantity = 1 ): void {
		WC()->cart->add_to_cart( $product, $quantity );
		$this->end_of_request();
	}

	/** Type an address into the block checkout; one request. */
	protected function type_on_block( string $email, array $more = array() ): void {
		$this->block_sends( $email, $more );
		$this->end_of_request();
	}

	/** The same, with the request still going on. */
	protected function block_sends( string $email, array $more = array() ): void {
		foreach ( array( 'billing_email' => $email ) + $more as $field => $value ) {
			WC()->customer->{"set_$field"}( $value );
		}
		do_action( 'woocommerce_store_api_cart_update_customer_from_request', WC()->customer, new \WP_REST_Request( 'POST' ) );
	}

	/** Tick or untick boxes of the block checkout; one request. */
	protected function tick_on_block( array $fields, string $hook = 'woocommerce_store_api_checkout_update_draft' ): void {
		$request = new \WP_REST_Request( 'PUT', '', array( 'additional_fields' => $fields ) );
		do_action( $hook, ...( 'woocommerce_store_api_checkout_update_draft' === $hook ? array( $request ) : array( World::order( 900, array( 'status' => 'checkout-draft' ) ), $request ) ) );
		$this->end_of_request();
	}

	/** Let the classic checkout report its form; one request. */
	protected function type_on_classic( array $form ): void {
		do_action( 'woocommerce_checkout_update_order_review', http_build_query( $form ) );
		$this->end_of_request();
	}

	/** Place the order that the cart became; `$status` is what the gateway makes of it. One request. */
	protected function place( int $id, string $status = 'processing', array $about = array(), string $checkout = 'block' ): \WC_Order {
		$order = World::order( $id, $about + array( 'status' => 'classic' === $checkout ? 'pending' : 'checkout-draft', 'billing_email' => 'anna@example.com' ) );
		if ( 'classic' === $checkout ) {
			do_action( 'woocommerce_checkout_create_order', $order, array() );
			do_action( 'woocommerce_checkout_order_processed', $id, array(), $order );
		} else {
			do_action( 'woocommerce_store_api_checkout_update_order_meta', $order );
			$order->set_status( 'pending' );
			do_action( 'woocommerce_order_status_changed', $id, 'checkout-draft', 'pending', $order );
			do_action( 'woocommerce_store_api_checkout_order_processed', $order );
		}
		$this->becomes( $order, $status );
		WC()->cart->empty_cart();
		$this->end_of_request();
		return $order;
	}

	/** Change an order's status as WooCommerce does. */
	protected function becomes( \WC_Order $order, string $status ): void {
		$from = $order->get_status();
		$order->set_status( $status );
		if ( $from !== $status ) {
			do_action( 'woocommerce_order_status_changed', $order->get_id(), $from, $status, $order );
		}
	}

	/** The present visit's cart as it is kept, or null. */
	protected function kept(): ?array {
		return Cart_Store::get( Visit::read()['token'] );
	}

	/** How many carts are kept. */
	protected function kept_count(): int {
		return Cart_Store::count_since( '2000-01-01 00:00:00' );
	}

	/** Choose how carts are captured. */
	protected function choose( array $settings ): void {
		update_option( 'connector_carts_settings', $settings );
	}
}
