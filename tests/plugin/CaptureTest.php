<?php
/**
 * A cart is kept and told once its shopper can be reached; one write for each request, and only when something changed.
 */

use ConnectorCarts\Capture;
use ConnectorCarts\Cart_Store;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;
use ConnectorCarts\Visit;

require_once __DIR__ . '/ShoppingCase.php';

class CaptureTest extends ShoppingCase {

	/**
	 * @group C18
	 */
	public function test_the_block_checkouts_address_is_kept_at_the_end_of_its_request_without_an_order(): void {
		$this->add();
		$this->type_on_block( 'Anna@Example.com', array( 'billing_phone' => '+33 6 12 34 56 78', 'billing_first_name' => 'Anna', 'billing_country' => 'FR' ) );
		$row = $this->kept();
		$this->assertSame( array( 'anna@example.com', '+33 6 12 34 56 78', 'Anna', 'FR', 'open', 'checkout', 1 ), array( $row['email'], $row['phone'], $row['first_name'], $row['country'], $row['status'], $row['stage'], $row['seq'] ) );
		$this->assertSame( array( $row['token'] ), $this->told );
		$this->assertSame( array(), World::$orders );
	}

	/**
	 * @group C19
	 */
	public function test_the_classic_form_is_kept_while_it_is_filled_in(): void {
		$this->add();
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com', 'billing_last_name' => "O'Hara & Söhne" ) );
		$this->assertSame( array( 'anna@example.com', "O'Hara & Söhne", 'checkout' ), array( $this->kept()['email'], $this->kept()['last_name'], $this->kept()['stage'] ) );
		$this->assertCount( 1, $this->told );
	}

	/**
	 * @group C19
	 */
	public function test_the_classic_checkout_loads_the_few_lines_that_report_the_address_and_only_there(): void {
		$this->assertArrayNotHasKey( 'wp_enqueue_script', World::$traces );
		ob_start();
		do_action( 'woocommerce_after_checkout_billing_form', null );
		ob_end_clean();
		list( $script ) = World::$traces['wp_enqueue_script'];
		$this->assertSame( array( 'jquery', 'wc-checkout' ), $script[2] );
		$this->assertStringEndsWith( '/assets/classic-email.js', $script[1] );
		$source = file_get_contents( dirname( __DIR__, 2 ) . '/integrations/woocommerce/plugin/assets/classic-email.js' );
		$this->assertStringContainsString( "trigger( 'update_checkout' )", $source );
		$this->assertDoesNotMatchRegularExpression( '/ajax|fetch|XMLHttp|cookie|localStorage/i', $source );
	}

	/**
	 * @group C25
	 */
	public function test_without_a_contact_nothing_is_written_and_nothing_told(): void {
		$this->add();
		$this->add( 40, 3 );
		WC()->cart->apply_coupon( 'unknown' );
		$this->end_of_request();
		$this->assertSame( 0, $this->kept_count() );
		$this->assertSame( array(), $this->told );
		$this->assertSame( '', Visit::read()['token'] );
	}

	/**
	 * @group C25
	 * @dataProvider robots
	 */
	public function test_a_robots_cart_is_not_kept( string $agent ): void {
		$_SERVER['HTTP_USER_AGENT'] = $agent;
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( 0, $this->kept_count() );
	}

	public static function robots(): array {
		return array(
			array( 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' ),
			array( 'Mozilla/5.0 AppleWebKit/537.36 (compatible; bingbot/2.0) Chrome/120 Safari/537.36' ),
			array( 'Mozilla/5.0 (Linux; Android 13) Chrome/120 Mobile Safari/537.36 (compatible; Storebot-Google/1.0)' ),
			array( 'facebookexternalhit/1.1' ),
			array( 'python-requests/2.32' ),
		);
	}

	public function test_a_phone_whose_maker_is_called_cubot_is_a_shopper(): void {
		$_SERVER['HTTP_USER_AGENT'] = 'Mozilla/5.0 (Linux; Android 13; CUBOT P80) Chrome/120 Mobile Safari/537.36';
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( 1, $this->kept_count() );
	}

	/**
	 * @group C25
	 */
	public function test_googles_test_shopper_staff_and_worthless_carts_are_not_kept(): void {
		$this->add();
		$this->type_on_block( 'someone@storebotmail.joonix.net' );
		$this->assertSame( 0, $this->kept_count() );
		$this->new_visitor();
		$this->add( 41 );
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( 0, $this->kept_count() );
		$this->new_visitor();
		World::person( 3, 'boss@shop.example', array( 'manage_woocommerce' ) );
		World::$user = 3;
		$this->add();
		$this->assertSame( 0, $this->kept_count() );
		$this->assertSame( array(), $this->told );
	}

	/**
	 * @group C26
	 */
	public function test_every_line_is_kept_and_follows_each_change(): void {
		$this->add();
		$this->add( 40, 2 );
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 'Mug', 'Tea' ), array_column( $this->kept()['cart']['lines'], 'name' ) );
		World::product( 42, array( 'name' => 'Pot', 'price' => '30' ) );
		$this->add( 42 );
		$this->assertSame( array( 'Mug', 'Tea', 'Pot' ), array_column( $this->kept()['cart']['lines'], 'name' ) );
		WC()->cart->set_quantity( $this->kept()['cart']['lines'][1]['key'], 5 );
		$this->end_of_request();
		WC()->cart->remove_cart_item( $this->kept()['cart']['lines'][0]['key'] );
		$this->end_of_request();
		$this->assertSame( array( array( 'Tea', '5' ), array( 'Pot', '1' ) ), array_map( null, array_column( $this->kept()['cart']['lines'], 'name' ), array_column( $this->kept()['cart']['lines'], 'quantity' ) ) );
	}

	/**
	 * @group C28
	 */
	public function test_capture_does_not_need_hooks_that_only_some_versions_have(): void {
		// Before 10.8 there is a draft order and no update_draft; from 10.8 on it is the other way round.
		foreach ( array( 'woocommerce_store_api_checkout_update_draft', 'woocommerce_store_api_checkout_update_order_from_request' ) as $number => $hook ) {
			$this->new_visitor();
			World::person( 5 + $number, "anna$number@example.com" );
			World::$user = 5 + $number;
			$this->add();
			$before = $this->kept()['seq'];
			$this->tick_on_block( array( 'connector-carts/email-consent' => true ), $hook );
			$this->assertSame( array( $before + 1, 'subscribed' ), array( $this->kept()['seq'], $this->kept()['consents'][0]['state'] ), $hook );
		}
		$this->assertSame( array( 'custom_order_tables', 'cart_checkout_blocks' ), $this->compatible() );
	}

	/** What the plugin says it works with. */
	private function compatible(): array {
		do_action( 'before_woocommerce_init' );
		return array_column( array_filter( World::$traces['declare_compatibility'], static fn( $call ) => true === $call[1] ), 0 );
	}

	/**
	 * @group C51
	 */
	public function test_one_request_writes_at_most_once_and_a_request_without_news_not_at_all(): void {
		$this->add();
		$writes = count( $GLOBALS['wpdb']->writes );
		$this->block_sends( 'anna@example.com' );
		WC()->cart->add_to_cart( 40, 2 );
		WC()->cart->set_quantity( array_key_first( WC()->cart->get_cart() ), 4 );
		$this->block_sends( 'anna@example.com', array( 'billing_first_name' => 'Anna' ) );
		$this->end_of_request();
		$this->assertSame( $writes + 1, count( $GLOBALS['wpdb']->writes ) );
		$this->assertCount( 1, $this->told );
		$this->type_on_block( 'anna@example.com', array( 'billing_first_name' => 'Anna' ) );
		$this->assertSame( $writes + 1, count( $GLOBALS['wpdb']->writes ) );
		$this->assertCount( 1, $this->told );
	}

	/**
	 * @group C51
	 */
	public function test_a_page_that_is_only_read_costs_nothing_and_no_cookie_is_set(): void {
		$writes = count( $GLOBALS['wpdb']->writes );
		$this->end_of_request();
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( $writes + 1, count( $GLOBALS['wpdb']->writes ) );
		$this->assertFalse( WC()->session->cookie );
		foreach ( glob( dirname( __DIR__, 2 ) . '/integrations/woocommerce/plugin/{*.php,includes/*.php,assets/*.js}', GLOB_BRACE ) as $file ) {
			$this->assertDoesNotMatchRegularExpression( '/\b(setcookie|wc_setcookie|document\.cookie|wp_ajax_|admin-ajax)/', file_get_contents( $file ), $file );
		}
	}

	public function test_the_write_comes_before_woocommerce_queues_its_webhooks(): void {
		$this->assertLessThan( 10, has_action( 'shutdown', array( Capture::class, 'write' ) ) );
		$this->assertLessThan( Capture::PRIORITY, has_action( 'shutdown', array( ConnectorCarts\Closing::class, 'close' ) ) );
	}

	public function test_a_signed_in_customer_is_known_from_the_cart_on(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$this->assertSame( array( 'anna@example.com', 5, 'cart' ), array( $this->kept()['email'], $this->kept()['user_id'], $this->kept()['stage'] ) );
	}

	public function test_a_customer_who_only_opens_the_checkout_page_has_reached_the_checkout(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		do_action( 'template_redirect' );
		$this->end_of_request();
		$this->assertSame( array( 'cart', 1 ), array( $this->kept()['stage'], $this->kept()['seq'] ) );
		World::$facts['is_checkout'] = true;
		foreach ( array( 'order-received', 'order-pay' ) as $endpoint ) {
			World::$facts['endpoint'] = $endpoint;
			do_action( 'template_redirect' );
			$this->end_of_request();
		}
		$this->assertSame( array( 'cart', 1 ), array( $this->kept()['stage'], $this->kept()['seq'] ) );
		World::$facts['endpoint']  = '';
		$_SERVER['REQUEST_METHOD'] = 'GET';
		do_action( 'template_redirect' );
		$this->end_of_request();
		$this->assertSame( array( 'checkout', 2 ), array( $this->kept()['stage'], $this->kept()['seq'] ) );
		do_action( 'template_redirect' );
		$this->end_of_request();
		$this->assertSame( 2, $this->kept()['seq'] );
	}

	public function test_what_is_no_address_is_not_kept_and_does_not_replace_one(): void {
		$this->add();
		$this->type_on_classic( array( 'billing_email' => 'anna@', 'billing_phone' => 'n/a' ) );
		$this->assertSame( 0, $this->kept_count() );
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com' ) );
		$this->type_on_classic( array( 'billing_email' => 'anna@exam', 'billing_phone' => '0612345678' ) );
		$this->assertSame( array( 'anna@example.com', '0612345678' ), array( $this->kept()['email'], $this->kept()['phone'] ) );
	}

	public function test_a_corrected_address_changes_the_same_cart(): void {
		$this->add();
		$this->type_on_block( 'anna@gmial.com' );
		$token = $this->kept()['token'];
		$this->type_on_block( 'anna@gmail.com' );
		$this->assertSame( array( $token, 'anna@gmail.com', 2, 1 ), array( $this->kept()['token'], $this->kept()['email'], $this->kept()['seq'], $this->kept_count() ) );
	}

	public function test_an_emptied_cart_says_so_and_opens_again_under_its_name(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		WC()->cart->empty_cart();
		$this->end_of_request();
		$this->assertSame( array( 'emptied', array() ), array( $this->kept()['status'], $this->kept()['cart']['lines'] ) );
		$this->add( 40 );
		$this->assertSame( array( $token, 'open', 3 ), array( $this->kept()['token'], $this->kept()['status'], $this->kept()['seq'] ) );
	}

	public function test_a_copy_of_the_shop_captures_nothing(): void {
		World::$options['home'] = 'https://staging.shop.example';
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 0, array() ), array( $this->kept_count(), $this->told ) );
	}

	public function test_a_faster_request_is_written_over_but_an_order_is_not(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$stale = $this->kept();
		$this->add( 40 );
		$saved = Cart_Store::save( array_merge( $stale, array( 'first_name' => 'Anna' ) ) );
		$this->assertSame( array( 3, 'Anna' ), array( $saved['seq'], $this->kept()['first_name'] ) );
		Cart_Store::save( array_merge( $this->kept(), array( 'status' => 'ordered' ) ) );
		$this->assertSame( 'ordered', Cart_Store::save( array_merge( $stale, array( 'status' => 'open' ) ) )['status'] );
		$this->assertSame( array( 'ordered', 4 ), array( $this->kept()['status'], $this->kept()['seq'] ) );
	}

	public function test_the_time_of_a_change_never_goes_back(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$first       = $this->kept()['updated_at'];
		World::$now -= 3600;
		$this->add( 40 );
		$this->assertSame( array( $first, 2 ), array( $this->kept()['updated_at'], $this->kept()['seq'] ) );
	}

	public function test_names_are_128_random_bits(): void {
		$names = array();
		for ( $i = 0; $i < 50; $i++ ) {
			$names[] = Visit::rename();
		}
		$this->assertCount( 50, array_unique( $names ) );
		$this->assertSame( $names, array_filter( $names, array( Cart_Store::class, 'is_token' ) ) );
	}
}
