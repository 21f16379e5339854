<?php
/**
 * What the connector is told: every key always, exact money, UTC times, a link that carries no personal data.
 */

use ConnectorCarts\Cart_Reader;
use ConnectorCarts\Cart_Store;
use ConnectorCarts\Link;
use ConnectorCarts\Snapshot;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;

require_once __DIR__ . '/ShoppingCase.php';

class SnapshotTest extends ShoppingCase {

	const KEYS = array( 'connector', 'plugin', 'woocommerce', 'wordpress', 'home', 'event_id', 'token', 'seq', 'status', 'stage', 'created_at', 'updated_at', 'order_id', 'customer_id', 'email', 'phone', 'first_name', 'last_name', 'company', 'country', 'consents', 'currency', 'prices_include_tax', 'locale', 'lines', 'coupons', 'fees', 'shipping', 'totals', 'restore_url' );

	/** The snapshot as it goes over the wire. */
	private function sent( array $row ): array {
		return json_decode( (string) wp_json_encode( Snapshot::of( $row ) ), true );
	}

	/** The present visit's snapshot. */
	private function snapshot(): array {
		return $this->sent( $this->kept() );
	}

	public function test_every_key_is_there_with_what_is_known(): void {
		$this->add( 36, 2 );
		World::$now += 300;
		$this->type_on_block( 'anna@example.com', array( 'billing_company' => 'ACME', 'billing_country' => 'FR' ) );
		$sent = $this->snapshot();
		$this->assertSame( self::KEYS, array_keys( $sent ) );
		$this->assertSame( array( 1, '1.0.0', '10.5.0', '6.9.7', 'https://shop.example' ), array( $sent['connector'], $sent['plugin'], $sent['woocommerce'], $sent['wordpress'], $sent['home'] ) );
		$this->assertSame( $sent['token'] . '-1', $sent['event_id'] );
		$this->assertSame( array( '2026-11-22T10:05:00Z', '2026-11-22T10:05:00Z' ), array( $sent['created_at'], $sent['updated_at'] ) );
		$this->assertSame( array( 'ACME', 'FR', 'EUR', true, 'fr_FR', 0, 0 ), array( $sent['company'], $sent['country'], $sent['currency'], $sent['prices_include_tax'], $sent['locale'], $sent['order_id'], $sent['customer_id'] ) );
		$this->assertSame( $sent['token'], Link::token_of( substr( $sent['restore_url'], strlen( 'https://shop.example/?connector_cart=' ) ) ) );
		$this->assertStringNotContainsString( 'anna', $sent['restore_url'] );
	}

	/**
	 * @group C26
	 */
	public function test_each_line_says_product_variation_attributes_and_money(): void {
		World::product( 50, array( 'name' => 'T-Shirt', 'type' => 'variable' ) );
		World::product( 51, array( 'name' => 'T-Shirt - Blue', 'price' => '25.00', 'parent_id' => 50, 'sku' => 'TS-B' ) );
		WC()->cart->add_to_cart( 50, 1, 51, array( 'attribute_pa_colour' => 'blue', 'attribute_size' => 'XL' ), array( 'engraving' => 'For A.', 'file' => new stdClass() ) );
		$this->add( 36, 3 );
		$this->type_on_block( 'anna@example.com' );
		list( $shirt, $mug ) = $this->snapshot()['lines'];
		$this->assertSame( array( 50, 51, 'T-Shirt - Blue', 'TS-B', '1', '20.83', '4.17' ), array( $shirt['product_id'], $shirt['variation_id'], $shirt['name'], $shirt['sku'], $shirt['quantity'], $shirt['subtotal'], $shirt['subtotal_tax'] ) );
		$this->assertSame( array( 'pa_colour' => 'blue', 'size' => 'XL' ), $shirt['attributes'] );
		$this->assertSame( array( 36, 0, '3', '30.00', '6.00', 'https://shop.example/image-9.jpg', 'https://shop.example/product/36/' ), array( $mug['product_id'], $mug['variation_id'], $mug['quantity'], $mug['total'], $mug['total_tax'], $mug['image'], $mug['url'] ) );
		$this->assertSame( array_keys( Snapshot::LINE ), array_keys( $shirt ) );
		$kept = $this->kept()['cart']['lines'][0];
		$this->assertSame( array( array( 'engraving' => 'For A.' ), '25.00' ), array( $kept['data'], $kept['price'] ) );
		$this->assertStringContainsString( '"attributes":{}', (string) wp_json_encode( Snapshot::of( $this->kept() ) ) );
	}

	/**
	 * @dataProvider prices
	 */
	public function test_net_and_tax_together_are_what_the_shopper_sees( bool $gross, int $decimals, string $price, int $pieces, string $net, string $tax ): void {
		World::$facts['prices_include_tax'] = $gross;
		World::$facts['decimals']           = $decimals;
		World::product( 43, array( 'price' => $price ) );
		$this->add( 43, $pieces );
		$this->type_on_block( 'anna@example.com' );
		$line = $this->snapshot()['lines'][0];
		$this->assertSame( array( $net, $tax ), array( $line['total'], $line['total_tax'] ) );
	}

	public static function prices(): array {
		return array(
			'16.665 and 3.333 would be 20.01' => array( true, 2, '20.00', 1, '16.67', '3.33' ),
			'three of 9.99'                   => array( true, 2, '9.99', 3, '24.97', '5.00' ),
			'net prices'                      => array( false, 2, '9.99', 3, '29.97', '5.99' ),
			'no decimals'                     => array( true, 0, '1999', 1, '1666', '333' ),
			'three decimals'                  => array( false, 3, '1.2345', 1, '1.235', '0.247' ),
		);
	}

	public function test_discount_fees_shipping_and_sums_come_from_the_same_cart(): void {
		World::coupon( 'welcome10' );
		$this->add();
		WC()->cart->apply_coupon( 'WELCOME10' );
		WC()->cart->fees   = array( (object) array( 'name' => 'Gift wrap', 'total' => 2, 'amount' => 2, 'tax' => 0.4 ) );
		WC()->cart->totals = array( 'discount_total' => 1.0, 'discount_tax' => 0.2, 'shipping_total' => 4.9, 'shipping_tax' => 0.98, 'fee_total' => 2, 'fee_tax' => 0.4 );
		World::$facts['packages'] = array( array( 'rates' => array( 'flat:1' => new class() { public function get_label() { return 'Flat <b>rate</b>'; } } ) ) );
		WC()->session->set( 'chosen_shipping_methods', array( 'flat:1' ) );
		$this->type_on_block( 'anna@example.com' );
		$sent = $this->snapshot();
		$this->assertSame( array( 'welcome10' ), $sent['coupons'] );
		$this->assertSame( array( array( 'name' => 'Gift wrap', 'total' => '2.00', 'tax' => '0.40' ) ), $sent['fees'] );
		$this->assertSame( array( 'method' => 'Flat rate', 'total' => '4.90', 'tax' => '0.98' ), $sent['shipping'] );
		$this->assertSame( array( 'subtotal' => '10.00', 'subtotal_tax' => '2.00', 'discount' => '1.00', 'discount_tax' => '0.20', 'shipping' => '4.90', 'shipping_tax' => '0.98', 'fees' => '2.00', 'tax' => '3.18', 'total' => '19.08' ), $sent['totals'] );
	}

	public function test_shipping_that_is_not_known_yet_is_not_free(): void {
		World::$facts['show_shipping'] = false;
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 'method' => '', 'total' => '', 'tax' => '' ), $this->snapshot()['shipping'] );
		$this->assertSame( '', $this->snapshot()['totals']['shipping'] );
		World::$facts['show_shipping'] = true;
		$this->add( 40 );
		$this->assertSame( array( '', '' ), array( $this->snapshot()['shipping']['total'], $this->snapshot()['totals']['shipping_tax'] ) );
		World::$facts['needs_shipping'] = false;
		$this->add( 40 );
		$this->assertSame( array( 'method' => '', 'total' => '0.00', 'tax' => '0.00' ), $this->snapshot()['shipping'] );
	}

	public function test_a_forgotten_cart_tells_its_name_and_times_and_nothing_else(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com', array( 'billing_first_name' => 'Anna', 'billing_phone' => '0612345678' ) );
		$token = $this->kept()['token'];
		Cart_Store::forget( $token );
		$sent = $this->sent( Cart_Store::get( $token ) );
		$this->assertSame( self::KEYS, array_keys( $sent ) );
		$this->assertSame( array( 'forgotten', 2, $token . '-2', '2026-11-22T10:00:00Z' ), array( $sent['status'], $sent['seq'], $sent['event_id'], $sent['updated_at'] ) );
		$empty = array_diff_key( $sent, array_flip( array( 'connector', 'plugin', 'woocommerce', 'wordpress', 'home', 'event_id', 'token', 'seq', 'status', 'stage', 'created_at', 'updated_at', 'shipping', 'totals' ) ) );
		$this->assertSame( array(), array_filter( $empty ) );
		$this->assertSame( array(), array_filter( $sent['totals'] + $sent['shipping'], 'strlen' ) );
	}

	public function test_the_sites_address_does_not_follow_language_plugins(): void {
		add_filter( 'home_url', static fn( $url ) => $url . '/fr' );
		$this->assertSame( 'https://shop.example', $this->sent( array( 'token' => str_repeat( 'a', 32 ) ) )['home'] );
	}

	public function test_a_row_of_an_older_version_still_makes_a_whole_snapshot(): void {
		$sent = $this->sent( array( 'token' => str_repeat( 'a', 32 ), 'seq' => 3, 'email' => 'anna@example.com', 'cart' => array( 'lines' => array( array( 'product_id' => 36 ) ) ) ) );
		$this->assertSame( self::KEYS, array_keys( $sent ) );
		$this->assertSame( array_keys( Snapshot::LINE ), array_keys( $sent['lines'][0] ) );
		$this->assertSame( '', $sent['created_at'] );
	}

	public function test_an_add_ons_data_is_no_place_for_files(): void {
		WC()->cart->add_to_cart( 36, 1, 0, array(), array( 'picture' => str_repeat( 'x', 9000 ) ) );
		$this->assertSame( array(), Cart_Reader::read( WC()->cart )['lines'][0]['data'] );
		WC()->cart->empty_cart();
		$deep = array( array( array( array( array( array( array( 'x' ) ) ) ) ) ) );
		WC()->cart->add_to_cart( 36, 1, 0, array(), array( 'options' => array( 'size' => array( 'XL', null, 3 ) ), 'deep' => $deep, 'inside' => array( new stdClass() ) ) );
		$this->assertSame( array( 'options' => array( 'size' => array( 'XL', null, 3 ) ) ), Cart_Reader::read( WC()->cart )['lines'][0]['data'] );
	}

	public function test_a_discount_of_everything_is_not_minus_nothing(): void {
		$this->add();
		WC()->cart->totals = array( 'fee_total' => -0.001, 'total' => -2.5 );
		$totals = Cart_Reader::read( WC()->cart )['totals'];
		$this->assertSame( array( '0.00', '-2.50' ), array( $totals['fees'], $totals['total'] ) );
	}
}
