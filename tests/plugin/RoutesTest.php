<?php
/**
 * What the connector may ask: carts that webhooks lost, one cart, and how the site is.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Health;
use ConnectorCarts\Tests\TestCase;
use ConnectorCarts\Tests\World;

class RoutesTest extends TestCase {

	protected function setUp(): void {
		parent::setUp();
		World::person( 1, 'owner@shop.example', array( 'manage_woocommerce' ) );
		World::person( 2, 'shopper@example.com' );
		World::$user = 1;
	}

	private function get( string $path, array $params = array() ): WP_REST_Response {
		return rest_do_request( new WP_REST_Request( 'GET', '/wc-connector/v1' . $path, $params ) );
	}

	private function cart( string $token, int $after = 0 ): array {
		World::$now += $after;
		return Cart_Store::save( array( 'token' => str_pad( $token, 32, '0' ), 'email' => 'anna@example.com', 'currency' => 'EUR', 'locale' => 'fr_FR' ) );
	}

	/** @param array<int, array<string, mixed>> $carts */
	private function tokens( array $carts ): array {
		return array_map( static fn( $cart ) => rtrim( $cart['token'], '0' ), $carts );
	}

	public function test_only_who_manages_the_store_may_ask(): void {
		$this->cart( 'a' );
		foreach ( array( 0 => 401, 2 => 403 ) as $user => $status ) {
			World::$user = $user;
			foreach ( array( '/carts', '/carts/' . str_pad( 'a', 32, '0' ), '/status' ) as $path ) {
				$answer = $this->get( $path );
				$this->assertSame( $status, $answer->get_status() );
				$this->assertSame( array( 'code' => 'woocommerce_rest_cannot_view' ), $answer->get_data() );
			}
		}
	}

	public function test_the_namespace_is_one_that_woocommerces_keys_open(): void {
		$this->get( '/status' );
		foreach ( array_keys( World::$routes ) as $route ) {
			$this->assertStringStartsWith( '/wc-', $route );
		}
		$this->assertCount( 3, World::$routes );
	}

	public function test_carts_come_oldest_change_first_and_those_of_the_very_second_too(): void {
		$this->cart( 'c' );
		$this->cart( 'b', 10 );
		$this->cart( 'a', 0 );
		$this->cart( 'd', 10 );
		$answer = $this->get( '/carts', array( 'modified_after' => '2026-11-22T10:00:10Z' ) );
		$this->assertSame( array( 'a', 'b', 'd' ), $this->tokens( $answer->get_data() ) );
		$this->assertSame( 'anna@example.com', $answer->get_data()[0]['email'] );
		$this->assertSame( 1, $answer->get_data()[0]['connector'] );
		$this->assertSame( '2026-11-22T10:00:10Z', $answer->get_data()[0]['updated_at'] );
	}

	/**
	 * @dataProvider instants
	 */
	public function test_an_instant_is_utc_whatever_its_form( string $text, array $expected ): void {
		$this->cart( 'a' );
		$this->cart( 'b', 3600 );
		$this->assertSame( $expected, $this->tokens( $this->get( '/carts', array( 'modified_after' => $text ) )->get_data() ) );
	}

	public static function instants(): array {
		return array(
			'with Z'              => array( '2026-11-22T10:00:01Z', array( 'b' ) ),
			'without'             => array( '2026-11-22T10:00:01', array( 'b' ) ),
			'parts of a second'   => array( '2026-11-22T10:00:01.500Z', array( 'b' ) ),
			'an offset'           => array( '2026-11-22T12:00:00+01:00', array( 'b' ) ),
			'a plus turned space' => array( '2026-11-22T11:00:00 01:00', array( 'a', 'b' ) ),
			'none'                => array( '', array( 'a', 'b' ) ),
			'later'               => array( '2026-11-22T11:00:01Z', array() ),
		);
	}

	public function test_what_is_no_instant_or_page_is_refused(): void {
		foreach ( array( array( 'modified_after' => 'yesterday' ), array( 'modified_after' => '2026-13-45T10:00:00Z' ), array( 'modified_after' => '2026-11-22' ), array( 'modified_after' => "2026-11-22T10:00:00Z' OR 1=1" ), array( 'per_page' => 101 ), array( 'per_page' => 0 ), array( 'page' => 0 ) ) as $params ) {
			$this->assertSame( 400, $this->get( '/carts', $params )->get_status(), wp_json_encode( $params ) );
		}
	}

	public function test_pages_are_counted_and_complete(): void {
		foreach ( array( 'a', 'b', 'c', 'd', 'e' ) as $name ) {
			$this->cart( $name );
		}
		$seen = array();
		foreach ( array( 1, 2, 3, 4 ) as $page ) {
			$answer = $this->get( '/carts', array( 'per_page' => 2, 'page' => $page ) );
			$this->assertSame( '3', $answer->get_headers()['X-WP-TotalPages'] );
			$this->assertSame( '5', $answer->get_headers()['X-WP-Total'] );
			$seen = array_merge( $seen, $this->tokens( $answer->get_data() ) );
		}
		$this->assertSame( array( 'a', 'b', 'c', 'd', 'e' ), $seen );
	}

	public function test_one_cart_by_its_name_or_404(): void {
		$this->cart( 'a' );
		$this->assertSame( 'anna@example.com', $this->get( '/carts/' . str_pad( 'a', 32, '0' ) )->get_data()['email'] );
		$missing = $this->get( '/carts/' . str_repeat( 'f', 32 ) );
		$this->assertSame( array( 404, array( 'code' => 'connector_no_such_cart' ) ), array( $missing->get_status(), $missing->get_data() ) );
	}

	public function test_a_forgotten_cart_is_told_without_the_person(): void {
		$row = $this->cart( 'a' );
		Cart_Store::forget( $row['token'] );
		$told = $this->get( '/carts' )->get_data()[0];
		$this->assertSame( array( 'forgotten', '', '', 2 ), array( $told['status'], $told['email'], $told['restore_url'], $told['seq'] ) );
	}

	/**
	 * @group C76
	 */
	public function test_a_copy_of_the_store_tells_no_carts(): void {
		$row = $this->cart( 'a' );
		update_option( 'home', 'https://staging.shop.example' );
		$this->assertSame( array(), $this->get( '/carts' )->get_data() );
		$this->assertSame( 404, $this->get( '/carts/' . $row['token'] )->get_status() );
		$status = $this->get( '/status' )->get_data();
		$this->assertTrue( $status['moved'] );
		$this->assertSame( 'https://staging.shop.example', $status['home'] );
	}

	public function test_no_cache_may_keep_an_answer(): void {
		foreach ( array( '/carts', '/status' ) as $path ) {
			$this->assertStringContainsString( 'no-store', $this->get( $path )->get_headers()['Cache-Control'] );
		}
	}

	public function test_the_status_tells_what_the_doctor_asks(): void {
		$this->cart( 'a' );
		World::$options['cron']                 = array( World::$now - 90 => array(), World::$now + 5 => array(), 'version' => 2 );
		World::$options['active_plugins']       = array( 'woocommerce/woocommerce.php', 'mailpoet/mailpoet.php', 'automatewoo/automatewoo.php' );
		World::$webhooks[4]                     = new WC_Webhook( 4, array( 'failure_count' => 2 ) );
		Health::note_run();
		$status = $this->get( '/status' )->get_data();
		$this->assertSame(
			array(
				'plugin'      => '1.0.0',
				'woocommerce' => '10.5.0',
				'wordpress'   => '6.9.7',
				'php'         => PHP_VERSION,
				'hpos'        => true,
				'checkout'    => 'none',
				'home'        => 'https://shop.example',
				'moved'       => false,
				'clock'       => '2026-11-22T10:00:00Z',
				'cron'        => array( 'disabled' => false, 'oldest_due_seconds' => 90, 'last_run' => '2026-11-22T10:00:00Z' ),
				'capture'     => 'everyone',
				'webhook'     => array( 'status' => 'active', 'last_success' => '', 'failures' => 2 ),
				'mailers'     => array( 'automatewoo', 'mailpoet' ),
				'open_carts'  => 1,
			),
			$status
		);
	}

	/**
	 * @dataProvider checkouts
	 */
	public function test_the_status_knows_block_and_classic_checkouts( array $pages, string $expected ): void {
		global $wpdb;
		foreach ( $pages as $id => $content ) {
			$wpdb->insert( 'wp_posts', array( 'ID' => $id, 'post_content' => $content ) );
		}
		$this->assertSame( $expected, $this->get( '/status' )->get_data()['checkout'] );
	}

	public static function checkouts(): array {
		$block   = '<!-- wp:woocommerce/checkout {"align":"wide"} --><div></div><!-- /wp:woocommerce/checkout -->';
		$classic = '<!-- wp:shortcode -->[woocommerce_checkout]<!-- /wp:shortcode -->';
		return array(
			'block'              => array( array( 8 => $block ), 'block' ),
			'classic'            => array( array( 8 => $classic ), 'classic' ),
			'the classic block'  => array( array( 8 => '<!-- wp:woocommerce/classic-shortcode {"shortcode":"checkout"} /-->' ), 'classic' ),
			'both'               => array( array( 8 => $block, 9 => $classic ), 'both' ),
			'a page builder'     => array( array( 8 => '' ), 'classic' ),
			'the cart is none'   => array( array( 7 => '<!-- wp:woocommerce/cart --> <!-- wp:woocommerce/checkout-link-block -->' ), 'none' ),
		);
	}
}
