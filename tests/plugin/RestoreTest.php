<?php
/**
 * Coming back by a link: the saved cart goes into the visitor's own, and what has changed is named.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Tests\RestoreCase;
use ConnectorCarts\Tests\World;

class RestoreTest extends RestoreCase {

	/**
	 * @group C29
	 * @group SQ-03
	 */
	public function test_a_link_fills_the_cart_of_a_device_that_has_no_cookie(): void {
		WC()->cart->add_to_cart( 36, 2 );
		WC()->cart->add_to_cart( 40 );
		$token = $this->saved();
		$left  = $this->follow( $token );
		$this->assertSame( array( array( 36, 0, 2 ), array( 40, 0, 1 ) ), $this->cart() );
		$this->assertSame( 'https://shop.example/checkout/', $left->url );
		$this->assertTrue( WC()->session->has_session() );
		$this->assertSame( array(), World::messages() );
		$this->assertSame( array(), $_COOKIE );
	}

	/**
	 * @group C30
	 */
	public function test_variation_attributes_and_add_ons_come_back_under_the_same_key(): void {
		$colour = array( 'attribute_pa_color' => 'blue', 'attribute_size' => 'L & XL' );
		$key    = WC()->cart->add_to_cart( 50, 1, 51, $colour, array( 'engraving' => array( 'text' => 'Für Zoé', 'lines' => 2 ) ) );
		$this->follow( $this->saved() );
		$item = WC()->cart->get_cart()[ $key ];
		$this->assertSame( $colour, $item['variation'] );
		$this->assertSame( 51, $item['variation_id'] );
		$this->assertSame( array( 'text' => 'Für Zoé', 'lines' => 2 ), $item['engraving'] );
	}

	/**
	 * @group C31
	 */
	public function test_what_is_in_the_cart_now_stays(): void {
		WC()->cart->add_to_cart( 36, 2 );
		$token = $this->saved();
		WC()->cart->add_to_cart( 40, 5 );
		WC()->cart->add_to_cart( 36, 1 );
		$this->follow( $token );
		$this->assertSame( array( array( 40, 0, 5 ), array( 36, 0, 2 ) ), $this->cart() );
	}

	/**
	 * @group C31
	 */
	public function test_the_larger_quantity_is_kept_however_often_the_link_is_opened(): void {
		WC()->cart->add_to_cart( 36, 2 );
		$token = $this->saved();
		WC()->cart->add_to_cart( 36, 3 );
		$this->follow( $token );
		$this->follow( $token );
		$this->assertSame( array( array( 36, 0, 3 ) ), $this->cart() );
	}

	/**
	 * @group SQ-07
	 * @group C32
	 */
	public function test_what_is_sold_out_is_left_out_and_named(): void {
		WC()->cart->add_to_cart( 36 );
		WC()->cart->add_to_cart( 40 );
		$token = $this->saved();
		World::$products[36]->set_stock_status( 'outofstock' );
		$left = $this->follow( $token );
		$this->assertSame( array( array( 40, 0, 1 ) ), $this->cart() );
		$this->assertSame( array( '“Mug” is sold out and was left out.' ), World::messages( 'notice' ) );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
	}

	/**
	 * @group C32
	 */
	public function test_what_is_gone_or_hidden_is_left_out_and_named_once(): void {
		WC()->cart->add_to_cart( 36 );
		WC()->cart->add_to_cart( 40 );
		WC()->cart->add_to_cart( 50, 1, 51 );
		$token = $this->saved();
		unset( World::$products[36] );
		World::$products[40]->set_status( 'draft' );
		World::$products[50]->set_status( 'trash' );
		$this->follow( $token );
		$this->assertSame( array(), $this->cart() );
		$gone = array( 'Since you left your cart, something has changed:', '“Mug” is no longer sold and was left out.', '“Tea” is no longer sold and was left out.', '“T-shirt – Blue” is no longer sold and was left out.' );
		$this->assertCount( 1, World::$notices );
		$this->assertSame( $gone, preg_split( '#</?(?:ul|li)>(?:</?(?:ul|li)>)?#', World::$notices[0]['notice'], -1, PREG_SPLIT_NO_EMPTY ) );
	}

	public function test_as_many_as_there_are_come_back(): void {
		WC()->cart->add_to_cart( 36, 5 );
		$token = $this->saved();
		World::$products[36]->set_stock_quantity( 3 );
		WC()->cart->add_to_cart( 36, 1 );
		$this->follow( $token );
		$this->assertSame( array( array( 36, 0, 3 ) ), $this->cart() );
		$this->assertSame( array( 'Of “Mug” only 3 could be kept: there are no more in stock.' ), World::messages() );
	}

	public function test_two_lines_share_the_stock_of_their_product(): void {
		WC()->cart->add_to_cart( 36, 2, 0, array(), array( 'engraving' => 'A' ) );
		WC()->cart->add_to_cart( 36, 2, 0, array(), array( 'engraving' => 'B' ) );
		$token = $this->saved();
		World::$products[36]->set_stock_quantity( 2 );
		$this->follow( $token );
		$this->assertSame( array( array( 36, 0, 2 ) ), $this->cart() );
		$this->assertSame( array( '“Mug” is sold out and was left out.' ), World::messages() );
	}

	/**
	 * @group SQ-08
	 */
	public function test_a_changed_price_is_named_and_todays_holds(): void {
		WC()->cart->add_to_cart( 36, 2 );
		WC()->cart->add_to_cart( 40 );
		$token = $this->saved();
		World::$products[36]->set_price( '15.00' );
		$left = $this->follow( $token );
		$this->assertSame( array( "The price of “Mug” has changed: it is now 15.00\u{a0}EUR instead of 12.00\u{a0}EUR." ), World::messages() );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
		$this->assertEqualsWithDelta( 34.5, WC()->cart->get_total( 'edit' ), 0.001 );
	}

	public function test_a_price_of_another_currency_is_not_compared(): void {
		WC()->cart->add_to_cart( 36 );
		$token = $this->saved( array( 'currency' => 'USD' ) );
		World::$products[36]->set_price( '15.00' );
		$this->follow( $token );
		$this->assertSame( array(), World::messages() );
	}

	public function test_coupons_are_applied_again_and_those_that_cannot_be_are_named(): void {
		World::coupon( 'welcome10', array( 'individual_use' => false ) );
		World::coupon( 'summer', array( 'individual_use' => false ) );
		WC()->cart->add_to_cart( 36 );
		WC()->cart->apply_coupon( 'welcome10' );
		WC()->cart->apply_coupon( 'summer' );
		$token = $this->saved();
		unset( World::$coupons['summer'] );
		$this->follow( $token );
		$this->assertSame( array( 'welcome10' ), WC()->cart->get_applied_coupons() );
		$this->assertSame( array( 'The coupon “summer” could not be used again.' ), World::messages() );
	}

	public function test_a_coupon_that_stands_alone_does_not_push_out_the_visitors_own(): void {
		World::coupon( 'alone', array( 'individual_use' => true ) );
		World::coupon( 'mine', array( 'individual_use' => false ) );
		WC()->cart->add_to_cart( 36 );
		WC()->cart->apply_coupon( 'alone' );
		$token = $this->saved();
		WC()->cart->apply_coupon( 'mine' );
		World::$notices = array();
		$this->follow( $token );
		$this->assertSame( array( 'mine' ), WC()->cart->get_applied_coupons() );
		$this->assertSame( array( 'The coupon “alone” could not be used again.' ), World::messages() );
	}

	public function test_a_plugin_that_throws_costs_one_line_only(): void {
		WC()->cart->add_to_cart( 36 );
		WC()->cart->add_to_cart( 40 );
		$token = $this->saved();
		add_filter(
			'woocommerce_add_cart_item_data',
			static function ( $data, $id ) {
				if ( 36 === $id ) {
					throw new TypeError( 'a broken add-on' );
				}
				return $data;
			},
			10,
			2
		);
		$this->follow( $token );
		$this->assertSame( array( array( 40, 0, 1 ) ), $this->cart() );
		$this->assertSame( array( '“Mug” could not be added again.' ), World::messages() );
	}

	public function test_a_plugin_that_throws_on_the_way_does_not_cost_the_page(): void {
		World::coupon( 'odd' );
		WC()->cart->add_to_cart( 36 );
		WC()->cart->apply_coupon( 'odd' );
		$token = $this->saved();
		add_action(
			'woocommerce_applied_coupon',
			static function () {
				throw new RuntimeException( 'anna@example.com' );
			}
		);
		$left = $this->follow( $token );
		$this->assertSame( 'https://shop.example/cart/', $left->url );
		$this->assertSame( array( array( 36, 0, 1 ) ), $this->cart() );
		$this->assertContains( 'Your cart could not be brought back completely.', World::messages() );
		$this->assertStringNotContainsString( 'anna', wp_json_encode( World::$traces['log'] ) );
	}

	public function test_names_of_products_cannot_bring_html_into_the_message(): void {
		World::product( 60, array( 'name' => 'Cup <script>x()</script>' ) );
		WC()->cart->add_to_cart( 60 );
		$token = $this->saved();
		unset( World::$products[60] );
		$row                             = Cart_Store::get( $token );
		$row['cart']['lines'][0]['name'] = 'Cup <img src=x onerror=x()>';
		Cart_Store::save( $row );
		$this->follow( $token );
		$this->assertStringNotContainsString( '<', World::$notices[0]['notice'] );
	}
}
