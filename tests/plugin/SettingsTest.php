<?php
/**
 * The merchant's choices, the page that shows them, copies of the site, other senders, and the clearing away.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Mailers;
use ConnectorCarts\Pruning;
use ConnectorCarts\Settings;
use ConnectorCarts\Settings_Page;
use ConnectorCarts\Tests\TestCase;
use ConnectorCarts\Tests\World;

class SettingsTest extends TestCase {

	protected function setUp(): void {
		parent::setUp();
		World::person( 1, 'owner@shop.example', array( 'manage_woocommerce' ) );
		World::person( 2, 'shopper@example.com' );
		World::$user = 1;
	}

	private function page(): string {
		ob_start();
		Settings_Page::show();
		return (string) ob_get_clean();
	}

	private function notices(): string {
		ob_start();
		do_action( 'admin_notices' );
		return (string) ob_get_clean();
	}

	private function post( string $action, array $form ): \ConnectorCarts\Tests\Left {
		$_POST    = wp_slash( $form + array( '_wpnonce' => 'nonce-of-' . $action ) );
		$_REQUEST = $_POST;
		return $this->leaving( static fn() => do_action( 'admin_post_' . $action ) );
	}

	public function test_a_new_shop_captures_everyone_and_shows_the_boxes(): void {
		$this->assertSame( 'everyone', Settings::capture_mode() );
		$this->assertTrue( Settings::may_capture() );
		$this->assertFalse( Settings::sms_box() );
		foreach ( array( Settings::wording( 'email' ), Settings::wording( 'sms' ), Settings::notice() ) as $text ) {
			$this->assertNotSame( '', $text );
		}
	}

	/**
	 * @group C50
	 */
	public function test_addresses_of_newsletter_forms_are_not_used_unless_chosen(): void {
		$this->assertFalse( Settings::newsletter() );
		$this->post( 'connector_carts_save', array( 'mode' => 'everyone', 'newsletter' => '1' ) );
		$this->assertTrue( Settings::newsletter() );
	}

	public function test_choices_are_kept_as_plain_text(): void {
		$left = $this->post( 'connector_carts_save', array( 'mode' => 'opt_in', 'email_wording' => "Yes, it's <b>me</b>", 'sms' => '1', 'sms_wording' => str_repeat( 'é', 600 ), 'notice' => 'No', 'hold_back_core' => '1' ) );
		$this->assertSame( 'https://shop.example/wp-admin/admin.php?page=connector-carts&done=saved', $left->url );
		$this->assertSame( array( 'opt_in', "Yes, it's me", true, 500, '', 'No' ), array( Settings::capture_mode(), Settings::wording( 'email' ), Settings::sms_box(), mb_strlen( Settings::wording( 'sms' ) ), Settings::notice(), Settings::kept_notice() ) );
	}

	public function test_words_that_were_left_as_they_are_follow_the_shoppers_language(): void {
		$this->post( 'connector_carts_save', array( 'mode' => 'everyone', 'email_wording' => Settings::wording( 'email' ), 'sms_wording' => '', 'notice' => Settings::notice() ) );
		$this->assertSame( array( 'sms_wording' ), array_values( preg_grep( '/wording|notice/', array_keys( get_option( Settings::OPTION ) ) ) ) );
		$this->assertSame( '', Settings::wording( 'sms' ), 'an emptied text is no default' );
	}

	public function test_our_texts_are_loaded_before_woocommerce_begins_on_init(): void {
		$loaded = false;
		add_action(
			'init',
			static function () use ( &$loaded ) {
				$loaded = isset( World::$traces['load_plugin_textdomain'] );
			},
			0
		);
		do_action( 'init' );
		$this->assertTrue( $loaded );
	}

	public function test_an_unknown_mode_captures_nobody(): void {
		update_option( Settings::OPTION, array( 'mode' => 'all of them' ) );
		$this->assertSame( 'off', Settings::capture_mode() );
		$this->assertFalse( Settings::may_capture() );
	}

	public function test_only_who_manages_the_store_and_came_from_the_form_may_change_it(): void {
		foreach ( array( 'connector_carts_save', 'connector_carts_real_store' ) as $action ) {
			$this->assertSame( 403, $this->post( $action, array( '_wpnonce' => 'forged', 'mode' => 'off' ) )->status );
			World::$user = 2;
			$this->assertSame( 403, $this->post( $action, array( 'mode' => 'off' ) )->status );
			World::$user = 1;
		}
		$this->assertSame( 'everyone', Settings::capture_mode() );
	}

	public function test_the_page_shows_the_connection_in_words(): void {
		$this->assertStringContainsString( 'Not connected yet', $this->page() );
		World::$webhooks[4] = new WC_Webhook( 4, array( 'status' => 'disabled', 'failure_count' => 7 ) );
		$this->assertStringContainsString( 'WooCommerce gave up', $this->page() );
		World::$webhooks[5] = new WC_Webhook( 5 );
		update_option( 'connector_carts_last_success', World::$now - 60 );
		$page = $this->page();
		$this->assertStringContainsString( 'Connected', $page );
		$this->assertStringContainsString( '2026-11-22 09:59', $page );
	}

	public function test_the_page_escapes_what_it_shows(): void {
		update_option( Settings::OPTION, array( 'mode' => 'everyone', 'email_wording' => '"><script>x()</script>', 'notice' => "'><i>" ) );
		update_option( Settings::HOME, 'https://old.example/<script>' );
		$this->assertStringNotContainsString( '<script>', $this->page() );
		$this->assertStringNotContainsString( "'><i>", $this->page() );
	}

	/**
	 * @group C76
	 */
	public function test_a_copy_at_another_address_is_silent_until_somebody_says_it_is_the_store(): void {
		update_option( 'home', 'https://staging.shop.example' );
		$this->assertTrue( Settings::moved() );
		$this->assertFalse( Settings::may_capture() );
		$this->assertStringContainsString( 'This is the real store', $this->page() );
		$this->assertStringContainsString( 'another address', $this->notices() );
		do_action( 'activate_connector' );
		do_action( 'init' );
		$this->assertTrue( Settings::moved(), 'switching the plugin on again decides nothing' );
		$this->post( 'connector_carts_real_store', array() );
		$this->assertFalse( Settings::moved() );
		$this->assertStringNotContainsString( 'This is the real store', $this->page() );
		$this->assertSame( '', $this->notices() );
	}

	/**
	 * @group C76
	 */
	public function test_scheme_and_www_make_no_copy_but_a_path_does(): void {
		foreach ( array( 'http://shop.example', 'https://www.shop.example/', 'HTTPS://SHOP.EXAMPLE' ) as $same ) {
			update_option( 'home', $same );
			$this->assertFalse( Settings::moved(), $same );
		}
		foreach ( array( 'https://shop.example/staging', 'https://shop.example.staging.host', 'https://shop.example:8443' ) as $other ) {
			update_option( 'home', $other );
			$this->assertTrue( Settings::moved(), $other );
		}
	}

	public function test_a_webhook_that_woocommerce_switched_off_is_told_until_it_is_on_again(): void {
		World::$webhooks[3] = new WC_Webhook( 3, array( 'topic' => 'order.updated' ) );
		World::$webhooks[4] = new WC_Webhook( 4, array( 'status' => 'disabled' ) );
		do_action( 'woocommerce_webhook_disabled_due_delivery_failures', 3 );
		$this->assertSame( '', $this->notices() );
		do_action( 'woocommerce_webhook_disabled_due_delivery_failures', 4 );
		$this->assertStringContainsString( 'switched off the webhook', $this->notices() );
		World::$user = 2;
		$this->assertSame( '', $this->notices() );
		World::$user  = 1;
		$_GET['page'] = 'connector-carts';
		$this->assertSame( '', $this->notices(), 'the page itself says it' );
		$_GET = array();
		$this->assertNotSame( '', $this->notices() );
		World::$webhooks[4] = new WC_Webhook( 4 );
		$this->assertSame( '', $this->notices() );
		World::$webhooks = array();
		$this->assertSame( '', $this->notices() );
	}

	public function test_woocommerces_own_reminder_is_held_back_while_ours_get_through(): void {
		$suppressed = static fn() => apply_filters( 'woocommerce_abandoned_cart_recovery_suppress', false );
		$this->assertFalse( $suppressed() );
		World::$webhooks[4] = new WC_Webhook( 4 );
		$this->assertTrue( $suppressed() );
		World::$webhooks[4] = new WC_Webhook( 4, array( 'status' => 'disabled' ) );
		$this->assertFalse( $suppressed() );
		World::$webhooks[4] = new WC_Webhook( 4 );
		$this->post( 'connector_carts_save', array( 'mode' => 'everyone' ) );
		$this->assertFalse( $suppressed() );
		$this->assertTrue( apply_filters( 'woocommerce_abandoned_cart_recovery_suppress', true ) );
	}

	public function test_woocommerces_own_reminder_is_named_only_if_it_is_sent(): void {
		update_option( 'woocommerce_feature_abandoned_cart_recovery_enabled', 'yes' );
		$this->assertSame( array(), Mailers::active() );
		update_option( 'woocommerce_customer_abandoned_cart_recovery_settings', array( 'enabled' => 'yes', 'automated' => 'yes' ) );
		$this->assertSame( array( 'core' ), Mailers::active() );
		$this->assertStringContainsString( 'WooCommerce: switch', $this->page() );
		World::$webhooks[4] = new WC_Webhook( 4 );
		$this->assertSame( array(), Mailers::active() );
	}

	public function test_other_senders_are_found_by_their_folders(): void {
		update_option( 'active_plugins', array( 'woo-cart-abandonment-recovery/woo-cart-abandonment-recovery.php', 'klaviyo/klaviyo.php', 'mailin/sendinblue.php', 'woocommerce-sendinblue-newsletter-subscription/woocommerce-sendinblue.php', 'hello.php' ) );
		$this->assertSame( array( 'brevo', 'cartflows', 'klaviyo' ), Mailers::active() );
		$this->assertStringContainsString( 'Brevo, Cart Abandonment Recovery (CartFlows), Klaviyo', $this->page() );
	}

	public function test_carts_go_forty_five_days_after_their_last_change(): void {
		$this->assertSame( 'daily', World::$scheduled[ Pruning::HOOK ][1] );
		Cart_Store::save( array( 'token' => str_repeat( 'a', 32 ), 'email' => 'a@example.com' ) );
		World::$now += DAY_IN_SECONDS;
		Cart_Store::save( array( 'token' => str_repeat( 'b', 32 ), 'email' => 'b@example.com' ) );
		World::$now += 45 * DAY_IN_SECONDS - 10;
		do_action( Pruning::HOOK );
		$this->assertNull( Cart_Store::get( str_repeat( 'a', 32 ) ) );
		$this->assertNotNull( Cart_Store::get( str_repeat( 'b', 32 ) ) );
		do_action( 'deactivate_connector' );
		$this->assertFalse( wp_next_scheduled( Pruning::HOOK ) );
	}

	public function test_a_site_that_was_set_up_by_copying_files_gets_its_key_and_address(): void {
		delete_option( 'connector_carts_key' );
		delete_option( 'connector_carts_home' );
		do_action( 'init' );
		$this->assertSame( 64, strlen( get_option( 'connector_carts_key' ) ) );
		$this->assertSame( 'https://shop.example', get_option( 'connector_carts_home' ) );
	}

	public function test_deleting_the_plugin_leaves_nothing_of_it(): void {
		World::$users[2]->meta = array( '_connector_carts_consents' => array(), '_connector_carts_opt_out' => '1', '_wc_other/connector-carts/no-thanks' => '1', 'other' => 'x' );
		$this->post( 'connector_carts_save', array( 'mode' => 'everyone' ) );
		update_option( 'connector_carts_last_success', 5 );
		update_option( 'connector_carts_queue_ran', 5 );
		update_option( 'connector_carts_webhook_off', '2026-11-22' );
		defined( 'WP_UNINSTALL_PLUGIN' ) || define( 'WP_UNINSTALL_PLUGIN', 'connector-carts/connector-carts.php' );
		require dirname( __DIR__, 2 ) . '/integrations/woocommerce/plugin/uninstall.php';
		$this->assertSame( array(), preg_grep( '/connector/', array_keys( World::$options ) ) );
		$this->assertSame( array( 'other' ), array_keys( World::$users[2]->meta ) );
		$this->assertArrayNotHasKey( 'wp_connector_carts', $GLOBALS['wpdb']->sql->tables );
		$this->assertFalse( wp_next_scheduled( Pruning::HOOK ) );
	}
}
