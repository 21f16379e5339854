<?php
/**
 * One person's visits: signed in and out, from another device, by a link; two people never share a cart.
 */

use ConnectorCarts\Capture;
use ConnectorCarts\Cart_Store;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;
use ConnectorCarts\Visit;

require_once __DIR__ . '/ShoppingCase.php';

class VisitTest extends ShoppingCase {

	public function test_signing_out_empties_nothing(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$seq   = $this->kept()['seq'];
		$token = $this->kept()['token'];
		WC()->cart->empty_cart( false );
		$this->end_of_request();
		$this->assertSame( array( 'open', $seq ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['seq'] ) );
		$this->new_visitor();
		World::$user = 5;
		$this->add( 40 );
		$this->assertSame( array( $token, 1 ), array( $this->kept()['token'], $this->kept_count() ) );
	}

	public function test_a_guests_cart_follows_into_the_account_and_the_older_one_is_empty(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add( 40 );
		$old = $this->kept()['token'];
		$this->new_visitor();
		$this->add();
		$this->type_on_block( 'anna.other@example.com' );
		$token       = $this->kept()['token'];
		World::$user = 5;
		$this->told  = array();
		do_action( 'woocommerce_guest_session_to_user_id', 'guest-session-1', '5' );
		$this->end_of_request();
		$this->assertSame( array( $token, 5, 'open' ), array( $this->kept()['token'], $this->kept()['user_id'], $this->kept()['status'] ) );
		$this->assertSame( array( 'emptied', array() ), array( Cart_Store::get( $old )['status'], Cart_Store::get( $old )['cart'] ) );
		$this->assertSame( array( $token, $old ), $this->told );
	}

	public function test_a_cart_from_a_link_is_gone_on_with_but_two_people_never_share_one(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		$this->new_visitor();
		WC()->cart->add_to_cart( 36 );
		Capture::adopt( $token );
		$this->end_of_request();
		$this->assertSame( 1, $this->kept()['seq'] );
		$this->add( 40 );
		$this->assertSame( array( $token, 'anna@example.com', 2 ), array( $this->kept()['token'], $this->kept()['email'], $this->kept()['seq'] ) );
		$this->type_on_block( 'bruno@example.com' );
		$this->assertNotSame( $token, $this->kept()['token'] );
		$this->assertSame( array( 'bruno@example.com', 'anna@example.com', 2 ), array( $this->kept()['email'], Cart_Store::get( $token )['email'], $this->kept_count() ) );
	}

	public function test_a_visit_with_a_cart_of_its_own_does_not_take_over_another(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$other = $this->kept()['token'];
		$this->new_visitor();
		$this->add();
		$this->type_on_block( 'bruno@example.com' );
		$own = $this->kept()['token'];
		Capture::adopt( $other );
		$this->assertSame( $own, Visit::read()['token'] );
	}

	public function test_pages_looked_at_after_a_link_and_somebody_without_an_address_leave_the_person_as_kept(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com', array( 'billing_first_name' => 'Anna', 'billing_country' => 'BE' ) );
		$token = $this->kept()['token'];
		$this->new_visitor();
		WC()->customer->set_billing_country( 'FR' );
		Capture::adopt( $token );
		$this->end_of_request();
		$_SERVER['REQUEST_METHOD'] = 'GET';
		$this->add( 40 );
		$this->assertSame( 1, $this->kept()['seq'] );
		$_SERVER['REQUEST_METHOD'] = 'POST';
		$this->add( 40 );
		$this->assertSame( array( 2, 'BE', 'Anna', 'anna@example.com' ), array( $this->kept()['seq'], $this->kept()['country'], $this->kept()['first_name'], $this->kept()['email'] ) );
	}

	public function test_a_link_to_an_ended_or_unknown_cart_is_not_gone_on_with(): void {
		Capture::adopt( str_repeat( 'a', 32 ) );
		$this->assertSame( '', Visit::read()['token'] );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		Cart_Store::forget( $token );
		$this->new_visitor();
		Capture::adopt( $token );
		$this->assertSame( '', Visit::read()['token'] );
	}

	public function test_a_visit_whose_own_cart_was_never_kept_takes_over_the_one_of_the_link(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		$this->new_visitor();
		Visit::rename();
		WC()->cart->cart_contents = array();
		Capture::adopt( $token );
		$this->assertSame( array( $token, true ), array( Visit::read()['token'], Visit::read()['adopted'] ) );
		$this->end_of_request();
		WC()->cart->empty_cart();
		$this->end_of_request();
		$this->assertSame( 'emptied', $this->kept()['status'] );
	}

	public function test_someone_else_who_is_signed_in_gets_a_cart_of_their_own(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		$this->new_visitor();
		World::person( 6, 'bruno@example.com' );
		World::$user = 6;
		Capture::adopt( $token );
		$this->end_of_request();
		$this->add( 40 );
		$this->assertSame( array( 'bruno@example.com', 'anna@example.com' ), array( $this->kept()['email'], Cart_Store::get( $token )['email'] ) );
	}

	public function test_a_link_followed_after_no_thanks_writes_nothing(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		$this->new_visitor();
		$this->tick_on_block( array( 'connector-carts/no-thanks' => true ) );
		Capture::adopt( $token );
		$this->add( 40 );
		$this->assertSame( array( 'open', 1 ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['seq'] ) );
	}

	public function test_a_customer_who_forgot_a_cart_can_have_a_new_one_at_once(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		$this->tick_on_block( array( 'connector-carts/no-thanks' => true ) );
		$this->tick_on_block( array( 'connector-carts/no-thanks' => false ) );
		$this->assertSame( array( 'open', 'forgotten' ), array( $this->kept()['status'], Cart_Store::get( $token )['status'] ) );
		$this->assertNotSame( $token, $this->kept()['token'] );
	}

	public function test_no_thanks_of_a_customer_deletes_the_carts_of_all_devices_and_can_be_taken_back_for_good(): void {
		World::person( 5, 'anna@example.com' );
		$other       = Cart_Store::save( array( 'token' => str_repeat( 'b', 32 ), 'user_id' => 5, 'email' => 'anna@example.com' ) );
		World::$user = 5;
		Visit::rename();
		$this->add();
		$this->tick_on_block( array( 'connector-carts/no-thanks' => true ) );
		$this->assertSame( array( 'forgotten', 0 ), array( Cart_Store::get( $other['token'] )['status'], Cart_Store::open_count() ) );
		$this->tick_on_block( array( 'connector-carts/no-thanks' => false ) );
		$this->new_visitor();
		World::$user = 5;
		$this->add( 40 );
		$this->assertSame( 1, Cart_Store::open_count() );
	}

	public function test_a_phone_given_for_the_parcel_counts_where_the_bill_has_none(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com', array( 'shipping_phone' => '0612345678' ) );
		$this->assertSame( '0612345678', $this->kept()['phone'] );
		$this->type_on_block( 'anna@example.com', array( 'billing_phone' => '0700000000' ) );
		$this->assertSame( '0700000000', $this->kept()['phone'] );
	}

	public function test_the_account_s_address_serves_where_nothing_was_typed_and_only_then(): void {
		World::person( 5, 'account@example.com' );
		World::$user = 5;
		$this->add();
		$this->assertSame( 'account@example.com', $this->kept()['email'] );
		WC()->customer->set_billing_email( 'billing@example.com' );
		$this->add( 40 );
		$this->assertSame( 'billing@example.com', $this->kept()['email'] );
		$this->type_on_classic( array( 'billing_email' => 'typed@example.com' ) );
		$this->assertSame( 'typed@example.com', $this->kept()['email'] );
	}

	public function test_an_order_sent_at_once_takes_the_boxes_of_its_form(): void {
		$this->add();
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com' ) );
		$_POST = array( 'billing_email' => 'anna@example.com', 'billing_last_name' => 'O\\\'Hara', 'connector_carts_shown' => 'email', 'connector_carts_email' => '1' );
		do_action( 'woocommerce_checkout_process' );
		$this->end_of_request();
		$this->assertSame( array( "O'Hara", 'subscribed' ), array( $this->kept()['last_name'], $this->kept()['consents'][0]['state'] ) );
		WC()->customer->set_billing_email( 'anna@example.com' );
		do_action( 'woocommerce_store_api_checkout_update_customer_from_request', WC()->customer, new WP_REST_Request( 'POST', '', array( 'additional_fields' => array( 'connector-carts/email-consent' => false ) ) ) );
		$this->end_of_request();
		$this->assertSame( 'unsubscribed', $this->kept()['consents'][0]['state'] );
	}

	public function test_outside_a_shoppers_visit_nothing_happens(): void {
		World::$shop->session = null;
		World::$shop->cart    = null;
		Capture::touch();
		$this->end_of_request();
		Visit::write( array( 'token' => 'x' ) );
		$this->assertSame( array( 0, '' ), array( $this->kept_count(), Visit::read()['token'] ) );
	}

	public function test_a_failure_of_ours_stops_neither_a_checkout_nor_what_woocommerce_does_after_us(): void {
		add_filter(
			'connector_carts_may_capture',
			static function () {
				throw new RuntimeException( 'anna@example.com is at fault' );
			}
		);
		$reached = 0;
		add_action(
			'shutdown',
			static function () use ( &$reached ) {
				++$reached;
			},
			20
		);
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		do_action( 'woocommerce_store_api_checkout_update_order_meta', new class( 9 ) extends WC_Order {
			public function get_meta( $key = '', $single = true, $context = 'view' ) {
				throw new RuntimeException( 'no meta' );
			}
		} );
		$this->assertSame( 2, $reached );
		$this->assertSame( array( 'RuntimeException in VisitTest.php', 'RuntimeException in VisitTest.php' ), array_map( static fn( $line ) => explode( ',', $line[1] )[0], World::$traces['log'] ) );
		$this->assertStringNotContainsString( 'anna', (string) json_encode( World::$traces['log'] ) );
		World::$traces['log'] = array();
	}
}
