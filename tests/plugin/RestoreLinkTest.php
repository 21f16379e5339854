<?php
/**
 * What a link does beside the merge: forged ones, orders, copies of the visitor, and all that it must leave alone.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Link;
use ConnectorCarts\Tests\Left;
use ConnectorCarts\Tests\RestoreCase;
use ConnectorCarts\Tests\World;
use ConnectorCarts\Visit;

class RestoreLinkTest extends RestoreCase {

	/**
	 * @group C5
	 */
	public function test_an_emptied_cart_is_not_brought_back(): void {
		WC()->cart->add_to_cart( 36 );
		$left = $this->follow( $this->saved( array( 'status' => 'emptied' ) ) );
		$this->assertSame( array(), $this->cart() );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
	}

	/**
	 * @group SEC-210
	 * @group C33
	 */
	public function test_a_forged_link_is_not_found_and_changes_nothing(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved();
		$good  = substr( Link::url( $token ), strlen( 'https://shop.example/?connector_cart=' ) );
		foreach ( array( substr( $good, 0, -1 ) . ( 'a' === substr( $good, -1 ) ? 'b' : 'a' ), strtok( $good, '.' ), "$token..", '', array( $good ) ) as $forged ) {
			$_GET            = array( 'connector_cart' => $forged );
			World::$status   = 200;
			World::$hooks    = World::$registered;
			$GLOBALS['wp_query'] = new WP_Query();
			do_action( 'wp_loaded' );
			do_action( 'template_redirect' );
			$this->assertSame( 404, World::$status );
			$this->assertTrue( $GLOBALS['wp_query']->is_404 );
			$this->assertSame( array(), $this->cart() );
			$this->assertSame( array(), World::messages() );
		}
	}

	/**
	 * @group SEC-212
	 * @group C33
	 */
	public function test_a_link_logs_nobody_in_and_tells_nothing_of_the_person(): void {
		World::person( 9, 'anna@example.com' );
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved( array( 'user_id' => 9 ) );
		$left  = $this->follow( $token );
		$this->end_of_request();
		$this->assertSame( 0, get_current_user_id() );
		$this->assertArrayNotHasKey( 'wp_set_auth_cookie', World::$traces );
		$this->assertArrayNotHasKey( 'wp_set_current_user', World::$traces );
		foreach ( array( 'email', 'billing_email', 'billing_phone', 'billing_first_name', 'billing_last_name' ) as $field ) {
			$this->assertSame( '', WC()->customer->{"get_$field"}() );
		}
		$seen = $left->url . wp_json_encode( World::$notices ) . wp_json_encode( WC()->session->data );
		foreach ( array( 'anna', 'Anna', 'Dupont', '612345678' ) as $personal ) {
			$this->assertStringNotContainsString( $personal, $seen );
		}
	}

	/**
	 * @group SEC-213
	 */
	public function test_a_cart_cannot_be_named_by_an_address_its_hash_or_a_number(): void {
		WC()->cart->add_to_cart( 36 );
		$this->saved();
		foreach ( array( 'anna@example.com', '1', '' ) as $name ) {
			$this->assertSame( '', Link::url( $name ) );
			$this->assertNull( Cart_Store::get( $name ) );
		}
		$this->follow( md5( 'anna@example.com' ) );
		$this->assertSame( array(), $this->cart() );
	}

	public function test_an_ended_link_says_so_and_changes_nothing(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved();
		$url   = Link::url( $token );
		World::$now += 32 * DAY_IN_SECONDS;
		parse_str( (string) parse_url( $url, PHP_URL_QUERY ), $_GET );
		$left = $this->leaving( static fn() => do_action( 'wp_loaded' ) );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
		$this->assertSame( array( 'This link has ended. It did not change your cart.' ), World::messages() );
		$this->assertSame( array(), $this->cart() );
	}

	public function test_a_cart_that_is_not_kept_any_more_says_so(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved();
		Cart_Store::forget( $token );
		$this->follow( $token );
		$this->follow( str_repeat( 'a', 32 ) );
		$this->assertSame( array_fill( 0, 2, 'This cart is no longer saved.' ), World::messages() );
		$this->assertSame( array(), $this->cart() );
	}

	private function ordered( array $order, string $status = 'placed' ): Left {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved( array( 'status' => $status, 'order_id' => 77 ) );
		World::order( 77, $order + array( 'meta' => array( '_connector_cart' => $token ) ) );
		return $this->follow( $token );
	}

	public function test_an_order_that_waits_for_its_payment_is_paid_instead_of_rebuilt(): void {
		foreach ( array( 'pending', 'failed' ) as $status ) {
			$left = $this->ordered( array( 'status' => $status ) );
			$this->assertSame( 'https://shop.example/checkout/order-pay/77/?pay_for_order=true&key=wc_order_secretkey', $left->url );
			$this->assertSame( array(), $this->cart() );
		}
	}

	/**
	 * @group SEC-212
	 */
	public function test_a_paid_order_is_thanked_for_without_a_word_of_it(): void {
		foreach ( array( 'processing', 'completed', 'on-hold' ) as $status ) {
			$left = $this->ordered( array( 'status' => $status ), 'ordered' );
			$this->assertSame( 'https://shop.example/checkout/order-received/', $left->url );
			$this->assertSame( array(), $this->cart() );
		}
	}

	/**
	 * @group C31
	 */
	public function test_thanking_does_not_empty_a_cart_that_was_begun_since(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved( array( 'status' => 'ordered', 'order_id' => 77 ) );
		World::order( 77, array( 'status' => 'completed', 'meta' => array( '_connector_cart' => $token ) ) );
		WC()->cart->add_to_cart( 40 );
		$left = $this->follow( $token );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
		$this->assertSame( array( array( 40, 0, 1 ) ), $this->cart() );
		$this->assertSame( array( 'Thank you. The order of this cart has been received. Nothing was added to your cart.' ), World::messages() );
	}

	/**
	 * @group SEC-212
	 */
	public function test_the_link_of_a_cart_opens_no_order_but_its_own(): void {
		$left = $this->ordered( array( 'status' => 'pending', 'meta' => array() ) );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
		$this->assertStringNotContainsString( 'wc_order_secretkey', $left->url . wp_json_encode( World::$notices ) );
	}

	public function test_an_order_that_was_given_up_unpaid_lets_the_cart_come_back(): void {
		$left = $this->ordered( array( 'status' => 'cancelled' ) );
		$this->assertSame( array( array( 36, 0, 1 ) ), $this->cart() );
		$this->assertSame( 'https://shop.example/checkout/', $left->url );
	}

	public function test_an_order_that_was_paid_and_cancelled_does_not(): void {
		$left = $this->ordered( array( 'status' => 'cancelled', 'date_paid' => new DateTime() ), 'ordered' );
		$this->assertSame( array(), $this->cart() );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
	}

	public function test_looking_alone_changes_nothing(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved();
		parse_str( (string) parse_url( Link::url( $token ), PHP_URL_QUERY ), $_GET );
		$_SERVER['REQUEST_METHOD'] = 'HEAD';
		do_action( 'wp_loaded' );
		$this->assertSame( array(), $this->cart() );
		$_SERVER['REQUEST_METHOD']   = 'GET';
		$_SERVER['HTTP_SEC_PURPOSE'] = 'prefetch;prerender';
		$left                        = $this->leaving( static fn() => do_action( 'wp_loaded' ) );
		$this->assertSame( 503, $left->status );
		$this->assertSame( array(), $this->cart() );
	}

	public function test_the_sender_counts_visits_by_utm_and_nothing_else_travels_on(): void {
		WC()->cart->add_to_cart( 36 );
		$left = $this->follow( $this->saved(), array( 'utm_source' => 'connector', 'utm_campaign' => 'a b', 'redirect_to' => 'https://evil.example', 'email' => 'x@y.z' ) );
		$this->assertStringContainsString( 'utm_source=connector', $left->url );
		$this->assertStringStartsWith( 'https://shop.example/checkout/?', $left->url );
		foreach ( array( 'evil', 'x@y.z', 'connector_cart' ) as $word ) {
			$this->assertStringNotContainsString( $word, $left->url );
		}
	}

	public function test_opening_a_link_leaves_the_saved_cart_as_it_was(): void {
		WC()->cart->add_to_cart( 36, 2 );
		WC()->cart->add_to_cart( 40 );
		$token  = $this->saved();
		$before = Cart_Store::get( $token );
		World::$products[40]->set_stock_status( 'outofstock' );
		World::$products[36]->set_price( '15.00' );
		World::product( 70, array( 'name' => 'Own' ) );
		WC()->cart->add_to_cart( 70, 3 );
		$this->end_of_request();
		$this->follow( $token );
		$this->end_of_request();
		$this->assertSame( $before, Cart_Store::get( $token ) );
		$this->assertSame( 0, did_action( 'wc_connector_cart' ) );
	}

	public function test_pages_that_are_only_looked_at_after_a_link_write_nothing(): void {
		WC()->cart->add_to_cart( 36 );
		$token  = $this->saved( array( 'country' => 'BE' ) );
		$before = Cart_Store::get( $token );
		$this->follow( $token );
		$this->end_of_request();
		WC()->customer->set_billing_country( 'FR' );
		World::coupon( 'free' );
		do_action( 'woocommerce_applied_coupon', 'free' );
		$this->end_of_request();
		$this->assertSame( $before, Cart_Store::get( $token ) );
		$_SERVER['REQUEST_METHOD'] = 'POST';
		WC()->cart->add_to_cart( 40 );
		$this->end_of_request();
		$row = Cart_Store::get( $token );
		$this->assertSame( array( 'BE', 2 ), array( $row['country'], count( $row['cart']['lines'] ) ) );
	}

	public function test_whoever_opens_a_link_after_a_scanner_is_told_what_changed(): void {
		WC()->cart->add_to_cart( 36 );
		WC()->cart->add_to_cart( 40 );
		$token = $this->saved();
		World::$products[40]->set_stock_status( 'outofstock' );
		for ( $visit = 0; $visit < 2; $visit++ ) {
			$this->new_device();
			$this->follow( $token );
			$this->end_of_request();
			$this->assertSame( array( '“Tea” is sold out and was left out.' ), World::messages() );
		}
	}

	public function test_the_visit_goes_on_under_the_carts_name(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved();
		$this->follow( $token );
		$this->end_of_request();
		$this->assertSame( $token, Visit::read()['token'] );
		$_SERVER['REQUEST_METHOD'] = 'POST';
		WC()->cart->add_to_cart( 40 );
		$this->end_of_request();
		$row = Cart_Store::get( $token );
		$this->assertSame( array( 'anna@example.com', 2, 2 ), array( $row['email'], $row['seq'], count( $row['cart']['lines'] ) ) );
	}

	/**
	 * @group C33
	 * @dataProvider contacts
	 */
	public function test_a_link_that_was_passed_on_never_mixes_two_people( array $saved, array $typed, bool $is_same ): void {
		WC()->cart->add_to_cart( 36 );
		$token  = $this->saved( $saved + array( 'email' => '', 'phone' => '' ) );
		$before = Cart_Store::get( $token );
		$this->follow( $token );
		$this->end_of_request();
		$_SERVER['REQUEST_METHOD'] = 'POST';
		do_action( 'woocommerce_checkout_update_order_review', http_build_query( $typed ) );
		$this->end_of_request();
		$this->assertSame( $is_same, Cart_Store::get( $token ) !== $before );
		$others = array_diff( array_column( Cart_Store::changed_since( '2026-01-01 00:00:00', 1, 9 ), 'token' ), array( $token ) );
		$this->assertCount( ! $is_same && isset( $typed['billing_email'] ) ? 1 : 0, $others );
	}

	public static function contacts(): array {
		$anna = array( 'email' => 'anna@example.com', 'phone' => '+33612345678' );
		$call = array( 'phone' => '+33612345678' );
		return array(
			'her own address'               => array( $anna, array( 'billing_email' => 'Anna@example.com', 'billing_phone' => '+33699999999' ), true ),
			'somebody else'                 => array( $anna, array( 'billing_email' => 'bob@example.com' ), false ),
			'another number, no address yet' => array( $anna, array( 'billing_phone' => '+33699999999' ), false ),
			'an address for a number alone' => array( $call, array( 'billing_email' => 'bob@example.com' ), false ),
			'another number with it'        => array( $call, array( 'billing_email' => 'bob@example.com', 'billing_phone' => '+33699999999' ), false ),
			'the same number with it'       => array( $call, array( 'billing_email' => 'anna@example.com', 'billing_phone' => '+33612345678' ), true ),
		);
	}

	public function test_other_requests_are_left_alone(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved();
		World::$facts['is_admin'] = true;
		parse_str( (string) parse_url( Link::url( $token ), PHP_URL_QUERY ), $_GET );
		do_action( 'wp_loaded' );
		$_GET = array( 's' => 'mug' );
		do_action( 'wp_loaded' );
		$this->assertSame( array(), $this->cart() );
		$this->assertArrayNotHasKey( 'header', World::$traces );
	}
}
