<?php
/**
 * A cart comes back in the language and the currency it was left in, where the shop has a plugin for that.
 *
 * Such a plugin is there or not for a whole process, so each of these tests has one of its own.
 */

use ConnectorCarts\Cart_Reader;
use ConnectorCarts\Cart_Store;
use ConnectorCarts\Tests\TestCase;
use ConnectorCarts\Tests\World;

/**
 * @runTestsInSeparateProcesses
 * @preserveGlobalState disabled
 */
class TongueTest extends TestCase {

	private function url( string $locale, string $currency ): string {
		World::product( 36 );
		WC()->cart->add_to_cart( 36 );
		$row         = Cart_Store::save( array( 'token' => str_repeat( 'a', 32 ), 'email' => 'a@example.com', 'locale' => $locale, 'currency' => $currency, 'cart' => Cart_Reader::read( WC()->cart ) ) );
		World::$shop = new WooCommerce();
		return $this->follow( $row['token'] )->url;
	}

	public function test_polylang_gives_the_page_in_the_carts_language(): void {
		eval( 'function pll_languages_list( $about ) { return "locale" === $about["fields"] ? array( "fr_FR", "en_GB" ) : array( "fr", "en" ); } function pll_get_post( $id, $language ) { return 8 === $id && "en" === $language ? 88 : 0; }' );
		$this->assertSame( 'https://shop.example/?page_id=88', $this->url( 'en_GB', 'EUR' ) );
		$this->assertSame( 'en_GB', World::$facts['locale'] );
	}

	public function test_a_language_that_is_gone_leads_to_the_usual_page(): void {
		eval( 'function pll_languages_list( $about ) { return "locale" === $about["fields"] ? array( "fr_FR" ) : array( "fr" ); } function pll_get_post( $id, $language ) { return 88; }' );
		$this->assertSame( 'https://shop.example/checkout/', $this->url( 'en_GB', 'EUR' ) );
		$this->assertSame( 'fr_FR', World::$facts['locale'] );
	}

	public function test_wpml_switches_and_gives_the_page_in_the_carts_language(): void {
		define( 'ICL_SITEPRESS_VERSION', '4.7' );
		$switched = array();
		add_action(
			'wpml_switch_language',
			static function ( $code ) use ( &$switched ) {
				$switched[] = $code;
			}
		);
		add_filter( 'wpml_active_languages', static fn() => array( 'fr' => array( 'default_locale' => 'fr_FR' ), 'en' => array( 'default_locale' => 'en_GB' ) ) );
		add_filter( 'wpml_object_id', static fn( $id, $type, $original, $code ) => 8 === $id && 'en' === $code ? 88 : $id, 10, 4 );
		add_filter( 'wpml_permalink', static fn( $url, $code ) => "$url&lang=$code", 10, 2 );
		$this->assertSame( 'https://shop.example/?page_id=88&lang=en', $this->url( 'en_GB', 'EUR' ) );
		$this->assertSame( array( 'en' ), $switched );
	}

	public function test_fox_is_told_the_currency(): void {
		$GLOBALS['WOOCS'] = new class() {
			/** @var string */
			public $current = 'EUR';
			public function set_currency( $code ) {
				$this->current = $code;
			}
		};
		$this->assertSame( 'https://shop.example/checkout/?currency=USD', $this->url( 'fr_FR', 'USD' ) );
		$this->assertSame( 'USD', $GLOBALS['WOOCS']->current );
	}

	public function test_woocommerce_multilingual_keeps_the_currency_in_the_session(): void {
		eval( 'class woocommerce_wpml {}' );
		$this->assertSame( 'https://shop.example/checkout/', $this->url( 'fr_FR', 'USD' ) );
		$this->assertSame( 'USD', WC()->session->get( 'client_currency' ) );
	}

	public function test_other_plugins_may_change_where_a_link_leads_but_not_to_another_site(): void {
		add_filter( 'connector_carts_restore_target', static fn( $url, $currency, $locale ) => add_query_arg( 'c', "$currency-$locale", $url ), 10, 3 );
		$this->assertSame( 'https://shop.example/checkout/?c=USD-en_GB', $this->url( 'en_GB', 'USD' ) );
		add_filter( 'connector_carts_restore_target', static fn() => 'https://evil.example/' );
		$this->assertSame( 'https://shop.example/', $this->url( 'en_GB', 'USD' ) );
	}

	public function test_without_such_plugins_nothing_is_switched(): void {
		$this->assertSame( 'https://shop.example/checkout/', $this->url( 'en_GB', 'USD' ) );
		$this->assertSame( 'fr_FR', World::$facts['locale'] );
		$this->assertSame( array(), array_intersect_key( WC()->session->data, array( 'client_currency' => 1 ) ) );
	}
}
