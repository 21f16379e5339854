<?php
/**
 * WooCommerce's webhooks carry the carts: the name goes into the queue, the body is made when it is sent.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Snapshot;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;
use ConnectorCarts\Webhook;

require_once __DIR__ . '/ShoppingCase.php';

class WebhookTest extends ShoppingCase {

	/** A webhook in the shop. */
	private function webhook( int $id, array $about = array() ): WC_Webhook {
		World::$webhooks[ $id ] = new WC_Webhook( $id, $about );
		return World::$webhooks[ $id ];
	}

	/** What WooCommerce would send for an argument. */
	private function body( int $id, $argument, $payload = array( 'action' => 'wc_connector_cart' ) ) {
		return apply_filters( 'woocommerce_webhook_payload', $payload, 'action', $argument, $id );
	}

	public function test_the_body_is_the_latest_state_of_the_cart(): void {
		$this->webhook( 1 );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->told[0];
		$this->add( 40 );
		$this->assertEquals( Snapshot::of( Cart_Store::get( $token ) ), $this->body( 1, $token ) );
		$this->assertSame( array( 2, 2 ), array( $this->body( 1, $token )['seq'], count( $this->body( 1, $token )['lines'] ) ) );
	}

	public function test_other_webhooks_are_left_alone(): void {
		$this->webhook( 1, array( 'topic' => 'action.woocommerce_add_to_cart' ) );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 'action' => 'x' ), $this->body( 1, $this->told[0], array( 'action' => 'x' ) ) );
		$this->assertSame( array( 'id' => 4 ), apply_filters( 'woocommerce_webhook_payload', array( 'id' => 4 ), 'order', 4, 99 ) );
		$this->assertTrue( apply_filters( 'woocommerce_webhook_should_deliver', true, World::$webhooks[1], 'x' ) );
	}

	public function test_a_cart_that_is_gone_is_told_as_an_error_of_the_api(): void {
		$this->webhook( 1 );
		$this->assertSame( array( 'connector_no_such_cart', array( 'status' => 404 ) ), array( $this->body( 1, str_repeat( 'a', 32 ) )['code'], $this->body( 1, str_repeat( 'a', 32 ) )['data'] ) );
		$this->assertSame( 'connector_no_such_cart', $this->body( 1, "' OR 1=1" )['code'] );
	}

	public function test_a_copy_of_the_shop_sends_no_cart_not_even_one_that_was_queued(): void {
		$webhook = $this->webhook( 1 );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertTrue( apply_filters( 'woocommerce_webhook_should_deliver', true, $webhook, $this->told[0] ) );
		World::$options['home'] = 'https://staging.shop.example';
		$this->assertFalse( apply_filters( 'woocommerce_webhook_should_deliver', true, $webhook, $this->told[0] ) );
		$this->assertStringNotContainsString( 'anna', (string) wp_json_encode( $this->body( 1, $this->told[0] ) ) );
	}

	public function test_only_a_cart_with_a_contact_or_a_forgotten_one_is_announced(): void {
		Webhook::announce( array( 'token' => 'a' ) + Cart_Store::EMPTY_ROW );
		$this->assertSame( array(), $this->told );
		Webhook::announce( array( 'token' => 'b', 'phone' => '0612345678' ) + Cart_Store::EMPTY_ROW );
		Webhook::announce( array( 'token' => 'c', 'status' => 'forgotten' ) + Cart_Store::EMPTY_ROW );
		$this->assertSame( array( 'b', 'c' ), $this->told );
	}

	public function test_the_state_tells_status_last_success_and_failures(): void {
		$this->assertSame( array( 'status' => 'none', 'last_success' => '', 'failures' => 0 ), Webhook::state() );
		$this->assertNull( Webhook::ours() );
		$this->webhook( 1, array( 'topic' => 'order.created' ) );
		$this->webhook( 2, array( 'status' => 'disabled', 'failure_count' => 6 ) );
		$this->assertSame( array( 'status' => 'disabled', 'last_success' => '', 'failures' => 6 ), Webhook::state() );
		$this->webhook( 3, array( 'failure_count' => 1 ) );
		$this->assertSame( array( 3, 'active' ), array( Webhook::ours()->get_id(), Webhook::state()['status'] ) );
	}

	/**
	 * @dataProvider answers
	 */
	public function test_only_an_accepted_delivery_of_ours_counts_as_success( $answer, int $webhook, string $expected ): void {
		$this->webhook( 1 );
		$this->webhook( 2, array( 'topic' => 'order.created' ) );
		do_action( 'woocommerce_webhook_delivery', array(), $answer, 0.1, 'x', $webhook );
		$this->assertSame( $expected, Webhook::state()['last_success'] );
	}

	public static function answers(): array {
		return array(
			'accepted'        => array( array( 'response' => array( 'code' => 200 ) ), 1, '2026-11-22T10:00:00Z' ),
			'a redirect'      => array( array( 'response' => array( 'code' => 302 ) ), 1, '' ),
			'refused'         => array( array( 'response' => array( 'code' => 500 ) ), 1, '' ),
			'no answer'       => array( new WP_Error( 'http_request_failed', 'x' ), 1, '' ),
			'another webhook' => array( array( 'response' => array( 'code' => 200 ) ), 2, '' ),
		);
	}

	public function test_our_topic_has_a_name_in_woocommerces_list(): void {
		$this->assertSame( array( 'order.created', 'action.wc_connector_cart' ), array_keys( apply_filters( 'woocommerce_webhook_topics', array( 'order.created' => 'Order created' ) ) ) );
	}
}
