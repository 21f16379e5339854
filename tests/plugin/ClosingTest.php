<?php
/**
 * Whoever ordered is not reminded: carts end by the name on the order, by customer, by e-mail address.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Closing;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;
use ConnectorCarts\Visit;

require_once __DIR__ . '/ShoppingCase.php';

class ClosingTest extends ShoppingCase {

	/** A guest with a cart and an address; answers the cart's name. */
	private function guest( string $email = 'anna@example.com' ): string {
		$this->new_visitor();
		$this->add();
		$this->type_on_block( $email );
		$this->told = array();
		return $this->kept()['token'];
	}

	/**
	 * @group C7
	 * @dataProvider checkouts
	 */
	public function test_an_order_ends_its_cart_on_both_checkouts_in_one_write( string $checkout ): void {
		$token  = $this->guest();
		$writes = count( $GLOBALS['wpdb']->writes );
		$order  = $this->place( 70, 'processing', array(), $checkout );
		$row    = Cart_Store::get( $token );
		$this->assertSame( array( 'ordered', 70, 2 ), array( $row['status'], $row['order_id'], $row['seq'] ) );
		$this->assertSame( $token, $order->get_meta( '_connector_cart' ) );
		$this->assertSame( array( $token ), $this->told );
		$this->assertSame( $writes + 1, count( $GLOBALS['wpdb']->writes ) );
	}

	public static function checkouts(): array {
		return array( array( 'block' ), array( 'classic' ) );
	}

	/**
	 * @group C7
	 */
	public function test_the_stamp_on_a_draft_is_saved_where_woocommerce_would_not(): void {
		$token = $this->guest();
		$draft = World::order( 71, array( 'status' => 'checkout-draft' ) );
		do_action( 'woocommerce_store_api_cart_update_order_from_request', $draft, new WP_REST_Request() );
		$this->assertSame( array( $token, 1 ), array( $draft->get_meta( Closing::META ), $draft->saves ) );
		do_action( 'woocommerce_store_api_checkout_update_order_meta', $draft );
		$this->assertSame( 1, $draft->saves );
		$this->end_of_request();
		$this->assertSame( 'open', Cart_Store::get( $token )['status'] );
	}

	public function test_a_draft_whose_shopper_is_not_captured_carries_a_name_that_tells_nothing(): void {
		$this->choose( array( 'mode' => 'opt_in' ) );
		$this->add();
		$draft = World::order( 72, array( 'status' => 'checkout-draft', 'billing_email' => 'anna@example.com' ) );
		do_action( 'woocommerce_store_api_checkout_update_order_meta', $draft );
		$this->end_of_request();
		$this->assertTrue( Cart_Store::is_token( $draft->get_meta( Closing::META ) ) );
		$this->assertSame( 0, $this->kept_count() );
	}

	/**
	 * @group C2
	 */
	public function test_a_guest_who_makes_an_account_while_paying_is_not_reminded(): void {
		$token = $this->guest();
		World::person( 5, 'anna@example.com' );
		$order = World::order( 73, array( 'status' => 'checkout-draft', 'billing_email' => 'anna@example.com' ) );
		do_action( 'woocommerce_store_api_checkout_update_order_meta', $order );
		World::$user = 5;
		do_action( 'woocommerce_guest_session_to_user_id', 'guest-session-1', '5' );
		$order->set_customer_id( 5 );
		$order->set_status( 'pending' );
		do_action( 'woocommerce_store_api_checkout_order_processed', $order );
		$this->becomes( $order, 'processing' );
		$this->end_of_request();
		$this->assertSame( array( 'ordered', 0 ), array( Cart_Store::get( $token )['status'], Cart_Store::open_count() ) );
	}

	/**
	 * @group C2
	 */
	public function test_every_open_cart_of_the_person_ends_by_customer_and_by_address(): void {
		$phone  = $this->guest( 'anna@example.com' );
		$tablet = $this->guest( ' ANNA@example.com' );
		World::person( 5, 'other@example.com' );
		$this->new_visitor();
		World::$user = 5;
		$this->add();
		$account = $this->kept()['token'];
		$bruno   = $this->guest( 'bruno@example.com' );
		$this->guest( 'anna@example.com' );
		$this->told = array();
		$this->place( 74, 'processing', array( 'billing_email' => 'Anna@Example.com ', 'customer_id' => 5 ) );
		foreach ( array( $phone, $tablet, $account ) as $token ) {
			$this->assertSame( array( 'ordered', 74 ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['order_id'] ) );
			$this->assertContains( $token, $this->told );
		}
		$this->assertSame( 'open', Cart_Store::get( $bruno )['status'] );
		$this->assertCount( 4, $this->told );
	}

	public function test_an_order_by_phone_ends_the_carts_too(): void {
		$token = $this->guest();
		$this->new_visitor();
		World::$shop->session = null;
		World::$shop->cart    = null;
		do_action( 'woocommerce_new_order', 75, World::order( 75, array( 'status' => 'processing', 'created_via' => 'admin', 'billing_email' => 'anna@example.com' ) ) );
		$this->end_of_request();
		$this->assertSame( array( 'ordered', 75 ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['order_id'] ) );
	}

	public function test_a_renewal_that_pays_itself_ends_no_cart(): void {
		$token = $this->guest();
		$this->becomes( World::order( 76, array( 'created_via' => 'subscription', 'billing_email' => 'anna@example.com' ) ), 'processing' );
		$this->end_of_request();
		$this->assertSame( 'open', Cart_Store::get( $token )['status'] );
	}

	public function test_a_bank_transfer_is_bought(): void {
		$token = $this->guest();
		$this->place( 77, 'on-hold' );
		$this->assertSame( 'ordered', Cart_Store::get( $token )['status'] );
	}

	public function test_an_ordered_cart_was_at_the_checkout_however_it_got_there(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$token = $this->kept()['token'];
		$this->assertSame( 'cart', $this->kept()['stage'] );
		$this->place( 88 );
		$this->assertSame( array( 'ordered', 'checkout' ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['stage'] ) );
	}

	/**
	 * @dataProvider unpaid
	 */
	public function test_an_unpaid_order_is_placed_and_ordered_once_it_is_paid( string $status ): void {
		$token = $this->guest();
		$other = $this->guest();
		$this->told = array();
		$order = $this->place( 78, $status );
		$this->assertSame( array( 'placed', 78, 'open' ), array( Cart_Store::get( $other )['status'], Cart_Store::get( $other )['order_id'], Cart_Store::get( $token )['status'] ) );
		$this->assertSame( array( $other ), $this->told );
		$this->new_visitor();
		World::$shop->session = null;
		$this->becomes( $order, 'processing' );
		$this->end_of_request();
		$this->assertSame( array( 'ordered', 'ordered' ), array( Cart_Store::get( $other )['status'], Cart_Store::get( $token )['status'] ) );
	}

	public static function unpaid(): array {
		return array( array( 'pending' ), array( 'failed' ) );
	}

	public function test_a_cancelled_order_does_not_open_or_order_its_cart(): void {
		$token = $this->guest();
		$order = $this->place( 79, 'pending' );
		$seq   = Cart_Store::get( $token )['seq'];
		$this->becomes( $order, 'cancelled' );
		$this->end_of_request();
		$this->assertSame( array( 'placed', $seq ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['seq'] ) );
	}

	public function test_a_status_that_an_extension_made_counts_as_bought(): void {
		$token = $this->guest();
		$this->place( 80, 'awaiting-shipment' );
		$this->assertSame( 'ordered', Cart_Store::get( $token )['status'] );
	}

	public function test_what_is_left_in_the_session_starts_no_new_cart_for_five_minutes(): void {
		$token = $this->guest();
		$this->place( 81 );
		$this->add( 40 );
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 1, $token ), array( $this->kept_count(), Visit::read()['token'] ) );
		World::$now += 301;
		$this->add( 40 );
		$this->assertSame( array( 2, 'open' ), array( $this->kept_count(), $this->kept()['status'] ) );
		$this->assertNotSame( $token, $this->kept()['token'] );
		$this->assertSame( 'ordered', Cart_Store::get( $token )['status'] );
	}

	/**
	 * @group C2
	 */
	public function test_an_account_made_while_paying_loses_the_session_but_not_the_five_minutes(): void {
		$token = $this->guest();
		$this->place( 87, 'on-hold' );
		$this->new_visitor();
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$this->assertSame( array( 1, 0 ), array( $this->kept_count(), Cart_Store::open_count() ) );
		World::$now += 301;
		$this->add();
		$this->assertSame( array( 1, 'ordered' ), array( Cart_Store::open_count(), Cart_Store::get( $token )['status'] ) );
	}

	public function test_an_order_whose_cart_was_never_kept_still_keeps_the_session_quiet(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		WC()->cart->add_to_cart( 36 );
		$this->place( 82, 'processing', array( 'customer_id' => 5 ) );
		$this->add();
		$this->assertSame( 0, $this->kept_count() );
		World::$now += 301;
		$this->add();
		$this->assertSame( 1, $this->kept_count() );
	}

	public function test_a_retry_of_a_declined_order_keeps_its_cart(): void {
		$token = $this->guest();
		$order = $this->place( 83, 'failed', array(), 'classic' );
		do_action( 'woocommerce_checkout_create_order', $order, array() );
		$this->assertSame( $token, $order->get_meta( Closing::META ) );
		$this->becomes( $order, 'processing' );
		$this->end_of_request();
		$this->assertSame( array( 'ordered', 83 ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['order_id'] ) );
	}

	public function test_a_forgotten_cart_stays_forgotten(): void {
		$token = $this->guest();
		$order = $this->place( 84, 'pending' );
		Cart_Store::forget( $token );
		$this->becomes( $order, 'processing' );
		$this->end_of_request();
		$this->assertSame( array( 'forgotten', 0, '' ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['order_id'], Cart_Store::get( $token )['email'] ) );
	}

	public function test_a_copy_of_the_shop_ends_nothing(): void {
		$token = $this->guest();
		World::$options['home'] = 'https://staging.shop.example';
		$this->place( 85 );
		$this->assertSame( array( 'open', array() ), array( Cart_Store::get( $token )['status'], $this->told ) );
	}

	public function test_a_cart_ends_even_after_capture_was_switched_off(): void {
		$token = $this->guest();
		$this->choose( array( 'mode' => 'off' ) );
		$this->place( 86 );
		$this->assertSame( array( 'ordered', array( $token ) ), array( Cart_Store::get( $token )['status'], $this->told ) );
	}
}
