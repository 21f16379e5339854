<?php
/**
 * What shoppers agreed to, and that nothing is kept against the shop's rule or their will.
 */

use ConnectorCarts\Boxes;
use ConnectorCarts\Cart_Store;
use ConnectorCarts\Consent;
use ConnectorCarts\Snapshot;
use ConnectorCarts\Tests\ShoppingCase;
use ConnectorCarts\Tests\World;
use ConnectorCarts\Visit;

require_once __DIR__ . '/ShoppingCase.php';

class ConsentTest extends ShoppingCase {

	const EMAIL     = 'connector-carts/email-consent';
	const SMS       = 'connector-carts/sms-consent';
	const NO_THANKS = 'connector-carts/no-thanks';

	public function test_a_tick_on_the_block_checkout_is_kept_with_its_wording_and_time(): void {
		$this->choose( array( 'email_wording' => 'News by e-mail, please.' ) );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->tick_on_block( array( self::EMAIL => true ) );
		$expected = array(
			'channel' => 'email',
			'state'   => 'subscribed',
			'at'      => '2026-11-22T10:00:00Z',
			'wording' => 'News by e-mail, please.',
			'source'  => 'block',
		);
		$this->assertSame( array( $expected ), $this->kept()['consents'] );
		$this->assertSame( array( $expected ), Snapshot::of( $this->kept() )['consents'] );
	}

	public function test_a_tick_on_the_classic_checkout_is_kept_for_each_channel(): void {
		$this->choose( array( 'sms' => true, 'sms_wording' => 'News by SMS' ) );
		$this->add();
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com', 'connector_carts_shown' => 'email sms no_thanks', 'connector_carts_sms' => '1' ) );
		$this->assertSame( array( array( 'sms', 'subscribed', 'News by SMS', 'classic' ) ), array_map( static fn( $c ) => array( $c['channel'], $c['state'], $c['wording'], $c['source'] ), $this->kept()['consents'] ) );
	}

	/**
	 * @group C49
	 */
	public function test_an_unticked_box_takes_the_consent_back_and_the_last_state_wins(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->tick_on_block( array( self::EMAIL => true ) );
		World::$now += 60;
		$this->tick_on_block( array( self::EMAIL => false ) );
		$this->assertSame( array( 'unsubscribed', '2026-11-22T10:01:00Z' ), array( $this->kept()['consents'][0]['state'], $this->kept()['consents'][0]['at'] ) );
		$this->assertCount( 1, $this->kept()['consents'] );
		$this->tick_on_block( array( self::EMAIL => true ), 'woocommerce_store_api_checkout_update_order_from_request' );
		$this->assertSame( 'subscribed', $this->kept()['consents'][0]['state'] );
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com', 'connector_carts_shown' => 'email' ) );
		$this->assertSame( array( 'unsubscribed', 'classic' ), array( $this->kept()['consents'][0]['state'], $this->kept()['consents'][0]['source'] ) );
	}

	/**
	 * @group C49
	 */
	public function test_a_customer_who_unticks_on_a_later_visit_takes_the_consent_back(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$this->tick_on_block( array( self::EMAIL => true ) );
		$this->new_visitor();
		World::$user = 5;
		World::$now += 86400;
		$this->assertTrue( Consent::given( 'email' ) );
		$this->tick_on_block( array( self::EMAIL => true ) );
		$this->assertSame( '2026-11-22T10:00:00Z', Consent::states()['email']['at'] );
		$this->tick_on_block( array( self::EMAIL => false ) );
		$this->assertSame( array( 'unsubscribed', '2026-11-23T10:00:00Z' ), array( Consent::states()['email']['state'], Consent::states()['email']['at'] ) );
	}

	/**
	 * @group C49
	 */
	public function test_a_customer_who_unticks_on_the_account_page_takes_the_consent_back(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$this->tick_on_block( array( self::EMAIL => true ) );
		update_user_meta( 5, '_wc_other/' . self::EMAIL, '0' );
		do_action( 'woocommerce_save_account_details', 6 );
		$this->end_of_request();
		$this->assertSame( 'subscribed', $this->kept()['consents'][0]['state'] );
		do_action( 'woocommerce_save_account_details', 5 );
		$this->end_of_request();
		$this->assertSame( array( 'unsubscribed', 3 ), array( $this->kept()['consents'][0]['state'], $this->kept()['seq'] ) );
	}

	public function test_a_box_that_was_never_ticked_says_nothing(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->tick_on_block( array( self::EMAIL => false ) );
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com', 'connector_carts_shown' => 'email no_thanks' ) );
		$this->assertSame( array(), $this->kept()['consents'] );
	}

	public function test_a_box_that_was_not_shown_is_not_read(): void {
		$this->add();
		$this->type_on_classic( array( 'billing_email' => 'anna@example.com', 'connector_carts_email' => '1', 'connector_carts_sms' => '1', 'connector_carts_shown' => 'sms' ) );
		$this->assertSame( array(), $this->kept()['consents'] );
	}

	/**
	 * @group C48
	 * @dataProvider checkouts
	 */
	public function test_no_thanks_deletes_the_cart_on_both_checkouts_and_none_is_kept_after( string $checkout ): void {
		$this->add();
		$this->type_on_block( 'anna@example.com', array( 'billing_first_name' => 'Anna' ) );
		$token       = $this->kept()['token'];
		$this->told  = array();
		'block' === $checkout ? $this->tick_on_block( array( self::NO_THANKS => true ) )
			: $this->type_on_classic( array( 'billing_email' => 'anna@example.com', 'connector_carts_shown' => 'no_thanks', 'connector_carts_no_thanks' => '1' ) );
		$row = Cart_Store::get( $token );
		$this->assertSame( array( 'forgotten', '', '', array() ), array( $row['status'], $row['email'], $row['first_name'], $row['cart'] ) );
		$this->assertSame( array( $token ), $this->told );
		$this->add( 40 );
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 1, 0, array( $token ) ), array( $this->kept_count(), Cart_Store::open_count(), $this->told ) );
	}

	public static function checkouts(): array {
		return array( array( 'block' ), array( 'classic' ) );
	}

	/**
	 * @group C48
	 */
	public function test_no_thanks_before_the_address_keeps_it_from_being_kept_and_can_be_taken_back(): void {
		$this->add();
		$this->tick_on_block( array( self::NO_THANKS => true ) );
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( 0, $this->kept_count() );
		$this->tick_on_block( array( self::NO_THANKS => false ) );
		$this->assertSame( 'open', $this->kept()['status'] );
	}

	/**
	 * @group C48
	 */
	public function test_a_customers_no_thanks_holds_on_every_later_visit(): void {
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add();
		$token = $this->kept()['token'];
		$this->tick_on_block( array( self::NO_THANKS => true ) );
		$this->new_visitor();
		World::$user = 5;
		$this->add( 40 );
		$this->assertSame( array( 'forgotten', 0 ), array( Cart_Store::get( $token )['status'], Cart_Store::open_count() ) );
	}

	public function test_nobody_elses_cart_is_deleted_by_typing_their_address(): void {
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$token = $this->kept()['token'];
		$this->new_visitor();
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->tick_on_block( array( self::NO_THANKS => true ) );
		$this->assertSame( 'open', Cart_Store::get( $token )['status'] );
	}

	public function test_opt_in_keeps_nothing_before_the_tick_and_forgets_after_the_untick(): void {
		$this->choose( array( 'mode' => 'opt_in' ) );
		$this->add();
		$this->type_on_block( 'anna@example.com', array( 'billing_phone' => '0612345678' ) );
		$this->assertSame( array( 0, array() ), array( $this->kept_count(), $this->told ) );
		$this->tick_on_block( array( self::EMAIL => true ) );
		$this->assertSame( array( 'open', 'anna@example.com', '' ), array( $this->kept()['status'], $this->kept()['email'], $this->kept()['phone'] ) );
		$token = $this->kept()['token'];
		$this->tick_on_block( array( self::EMAIL => false ) );
		$this->assertSame( array( 'forgotten', '' ), array( Cart_Store::get( $token )['status'], Cart_Store::get( $token )['email'] ) );
	}

	public function test_opt_in_drops_only_the_channel_that_was_taken_back(): void {
		$this->choose( array( 'mode' => 'opt_in', 'sms' => true ) );
		$this->add();
		$this->type_on_block( 'anna@example.com', array( 'billing_phone' => '0612345678' ) );
		$this->tick_on_block( array( self::EMAIL => true, self::SMS => true ) );
		$this->assertSame( array( 'anna@example.com', '0612345678' ), array( $this->kept()['email'], $this->kept()['phone'] ) );
		$this->tick_on_block( array( self::EMAIL => false, self::SMS => true ) );
		$this->assertSame( array( 'open', '', '0612345678' ), array( $this->kept()['status'], $this->kept()['email'], $this->kept()['phone'] ) );
	}

	public function test_the_modes_logged_in_and_off(): void {
		$this->choose( array( 'mode' => 'logged_in' ) );
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( 0, $this->kept_count() );
		World::person( 5, 'anna@example.com' );
		World::$user = 5;
		$this->add( 40 );
		$this->assertSame( 1, $this->kept_count() );
		$this->choose( array( 'mode' => 'off' ) );
		$seq = $this->kept()['seq'];
		$this->add( 40 );
		$this->assertSame( array( $seq, array() ), array( $this->kept()['seq'], Boxes::offered() ) );
	}

	public function test_a_consent_plugin_can_forbid_it(): void {
		$seen = array();
		add_filter(
			'connector_carts_may_capture',
			static function ( $may, $contact ) use ( &$seen ) {
				$seen[] = $contact['email'];
				return false;
			},
			10,
			2
		);
		$this->add();
		$this->type_on_block( 'anna@example.com' );
		$this->assertSame( array( 0, array( 'anna@example.com' ) ), array( $this->kept_count(), $seen ) );
	}

	/**
	 * @group C50
	 */
	public function test_an_address_from_a_newsletter_form_is_used_only_where_the_shop_chose_that(): void {
		do_action( 'mc4wp_form_subscribed', new stdClass(), 'Anna@Example.com', array(), array() );
		do_action( 'connector_carts_email_given', 'anna@example.com' );
		$this->add();
		$this->assertSame( array( 0, '' ), array( $this->kept_count(), Visit::read()['newsletter'] ) );
		$this->choose( array( 'newsletter' => true ) );
		do_action( 'mc4wp_form_subscribed', new stdClass(), 'Anna@Example.com', array(), array() );
		$this->end_of_request();
		$this->assertSame( array( 'anna@example.com', array() ), array( $this->kept()['email'], $this->kept()['consents'] ) );
		$this->type_on_block( 'bruno@example.com' );
		$this->assertSame( 'bruno@example.com', $this->kept()['email'] );
	}

	/**
	 * @group C50
	 */
	public function test_a_filter_decides_last_about_newsletter_addresses(): void {
		$this->choose( array( 'newsletter' => true ) );
		add_filter( 'connector_carts_use_newsletter_email', static fn() => false );
		do_action( 'connector_carts_email_given', 'anna@example.com' );
		$this->add();
		$this->assertSame( 0, $this->kept_count() );
	}

	public function test_the_block_checkout_gets_optional_boxes_in_the_contact_section(): void {
		$this->choose( array( 'sms' => true ) );
		World::$traces = array();
		do_action( 'woocommerce_init' );
		$fields = array_column( World::$traces['woocommerce_register_additional_checkout_field'], 0 );
		$this->assertSame( array( self::EMAIL, self::SMS, self::NO_THANKS ), array_column( $fields, 'id' ) );
		foreach ( $fields as $field ) {
			$this->assertSame( array( 'contact', 'checkbox', false, false, $field['label'] ), array( $field['location'], $field['type'], $field['required'], $field['show_in_order_confirmation'], $field['optionalLabel'] ) );
		}
	}

	public function test_what_the_shopper_ticked_before_is_shown_ticked(): void {
		Consent::take( array( 'email' => true, 'no_thanks' => false ), 'classic' );
		ob_start();
		do_action( 'woocommerce_after_checkout_billing_form', null );
		$html = ob_get_clean();
		$this->assertMatchesRegularExpression( '/name="connector_carts_email" value="1" checked/', $html );
		$this->assertSame( 1, substr_count( $html, 'checked=' ) );
	}

	public function test_there_is_no_sms_box_where_the_checkout_asks_for_no_phone(): void {
		$this->choose( array( 'sms' => true ) );
		$this->assertArrayHasKey( 'sms', Boxes::offered() );
		update_option( 'woocommerce_checkout_phone_field', 'hidden' );
		$this->assertArrayNotHasKey( 'sms', Boxes::offered() );
	}

	public function test_the_classic_boxes_are_not_ticked_beforehand_and_their_words_are_harmless(): void {
		$this->choose( array( 'email_wording' => '<script>alert(1)</script> & news' ) );
		ob_start();
		do_action( 'woocommerce_after_checkout_billing_form', null );
		$html = ob_get_clean();
		$this->assertStringContainsString( 'name="connector_carts_email"', $html );
		$this->assertStringContainsString( 'value="email no_thanks"', $html );
		$this->assertStringNotContainsString( 'checked', $html );
		$this->assertStringNotContainsString( '<script>', $html );
		$this->assertStringContainsString( '&lt;script&gt;', $html );
	}
}
