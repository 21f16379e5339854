<?php
/**
 * WordPress's tools for personal data.
 */

use ConnectorCarts\Cart_Store;
use ConnectorCarts\Tests\TestCase;
use ConnectorCarts\Tests\World;

class PrivacyTest extends TestCase {

	private function cart( string $name, array $more = array() ): string {
		$consent = array( 'channel' => 'email', 'state' => 'subscribed', 'at' => '2026-11-22T09:00:00Z', 'wording' => 'Write to me', 'source' => 'block' );
		$row     = $more + array(
			'token'      => str_pad( $name, 32, '0' ),
			'email'      => 'anna@example.com',
			'phone'      => '+33612345678',
			'first_name' => 'Anna',
			'last_name'  => 'Dupont',
			'country'    => 'FR',
			'consents'   => array( $consent ),
			'cart'       => array( 'lines' => array( array( 'name' => 'Mug', 'quantity' => '2' ) ), 'coupons' => array( 'welcome10' ) ),
		);
		return Cart_Store::save( $row )['token'];
	}

	private function export( string $email ): array {
		$exporters = apply_filters( 'wp_privacy_personal_data_exporters', array() );
		return call_user_func( $exporters['connector-carts']['callback'], $email, 1 );
	}

	private function erase( string $email ): array {
		$erasers = apply_filters( 'wp_privacy_personal_data_erasers', array() );
		return call_user_func( $erasers['connector-carts']['callback'], $email, 1 );
	}

	public function test_everything_about_a_person_is_exported(): void {
		$this->cart( 'a' );
		$this->cart( 'b', array( 'email' => 'other@example.com', 'first_name' => 'Otto' ) );
		$told = $this->export( ' ANNA@example.com ' );
		$this->assertTrue( $told['done'] );
		$this->assertCount( 1, $told['data'] );
		$values = array_column( $told['data'][0]['data'], 'value', 'name' );
		$this->assertSame( array( 'anna@example.com', '+33612345678', 'Anna Dupont', 'FR', '2 × Mug', 'welcome10', 'email: subscribed, 2026-11-22T09:00:00Z, “Write to me”' ), array( $values['E-mail'], $values['Phone'], $values['Name'], $values['Country'], $values['Products'], $values['Coupons'], $values['Consents'] ) );
		$this->assertStringNotContainsString( 'Otto', wp_json_encode( $told ) );
	}

	public function test_carts_of_the_account_and_what_stands_on_it_belong_to_the_person(): void {
		World::person( 5, 'anna@example.com' );
		World::$users[5]->meta = array( '_connector_carts_opt_out' => '1' );
		$this->cart( 'a', array( 'email' => 'office@example.com', 'user_id' => 5 ) );
		$told = wp_json_encode( $this->export( 'anna@example.com' ) );
		$this->assertStringContainsString( 'office@example.com', $told );
		$this->assertStringContainsString( 'refused', $told );
	}

	public function test_erasing_empties_every_cart_and_tells_the_connector(): void {
		World::person( 5, 'anna@example.com' );
		World::$users[5]->meta = array( '_connector_carts_consents' => array( 'email' => array() ), '_wc_other/connector-carts/email-consent' => '1', 'other' => 'x' );
		$this->cart( 'a' );
		$this->cart( 'b', array( 'status' => 'ordered', 'order_id' => 7 ) );
		$this->cart( 'c', array( 'email' => 'office@example.com', 'user_id' => 5 ) );
		$kept   = $this->cart( 'd', array( 'email' => 'other@example.com' ) );
		$before = did_action( 'wc_connector_cart' );
		$done   = $this->erase( 'anna@example.com' );
		$this->assertSame( array( true, false, true ), array( $done['items_removed'], $done['items_retained'], $done['done'] ) );
		foreach ( array( 'a', 'b', 'c' ) as $name ) {
			$row = Cart_Store::get( str_pad( $name, 32, '0' ) );
			$this->assertSame( array( 'forgotten', '', '', '', array(), array(), 0 ), array( $row['status'], $row['email'], $row['phone'], $row['first_name'], $row['cart'], $row['consents'], $row['user_id'] ) );
		}
		$this->assertSame( $before + 3, did_action( 'wc_connector_cart' ) );
		$this->assertSame( 'other@example.com', Cart_Store::get( $kept )['email'] );
		$this->assertSame( array( 'other' ), array_keys( World::$users[5]->meta ) );
		$this->assertSame( array(), $this->export( 'anna@example.com' )['data'] );
	}

	public function test_a_refusal_outlives_the_erasing_and_says_so(): void {
		World::person( 5, 'anna@example.com' );
		World::$users[5]->meta = array( '_connector_carts_opt_out' => '1' );
		$done                  = $this->erase( 'anna@example.com' );
		$this->assertSame( array( false, true, 1 ), array( $done['items_removed'], $done['items_retained'], count( $done['messages'] ) ) );
		$this->assertSame( '1', World::$users[5]->meta['_connector_carts_opt_out'] );
	}

	public function test_a_person_who_is_unknown_has_nothing_to_export_or_erase(): void {
		$this->cart( 'a' );
		foreach ( array( 'nobody@example.com', '', 'anna@example.com%' ) as $email ) {
			$this->assertSame( array(), $this->export( $email )['data'] );
			$this->assertFalse( $this->erase( $email )['items_removed'] );
		}
		$this->assertSame( 'open', Cart_Store::get( str_pad( 'a', 32, '0' ) )['status'] );
	}

	public function test_carts_of_a_deleted_account_are_forgotten(): void {
		$token = $this->cart( 'a', array( 'user_id' => 5 ) );
		do_action( 'deleted_user', 5, null );
		$this->assertSame( 'forgotten', Cart_Store::get( $token )['status'] );
	}

	public function test_words_for_the_privacy_policy_are_suggested(): void {
		do_action( 'admin_init' );
		$this->assertStringContainsString( '45 days', World::$traces['wp_add_privacy_policy_content'][0][1] );
	}
}
