<?php
/**
 * Language and currency of a saved cart.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Goes back to the language and the currency that the shopper had, where a plugin of the shop offers them.
 *
 * Known: WPML and Polylang; WooCommerce Multilingual, WooPayments and FOX (WOOCS) by their parameter or session entry.
 * Others have the filter `connector_carts_restore_target`.
 */
final class Tongue {

	/**
	 * Switches the rest of this request, so that products are found in the right language and messages are written in it.
	 *
	 * @param array $row The saved cart.
	 */
	public static function speak( array $row ): void {
		$language = self::language_of( $row['locale'] );
		if ( '' !== $language && self::has_wpml() ) {
			do_action( 'wpml_switch_language', $language );
		}
		if ( '' !== $row['locale'] && determine_locale() !== $row['locale'] && '' !== $language ) {
			switch_to_locale( $row['locale'] );
		}
		self::pay_in( $row['currency'] );
	}

	/**
	 * The address of WooCommerce's cart or checkout in the saved cart's language, with its currency.
	 *
	 * @param string $page "cart" or "checkout".
	 * @param array  $row  The saved cart; an empty array asks for the site's own page.
	 */
	public static function page( string $page, array $row ): string {
		$url      = 'cart' === $page ? wc_get_cart_url() : wc_get_checkout_url();
		$language = self::language_of( $row['locale'] ?? '' );
		if ( '' !== $language && function_exists( 'pll_get_post' ) ) {
			$translated = pll_get_post( wc_get_page_id( $page ), $language );
			$url        = $translated ? (string) get_permalink( $translated ) : $url;
		} elseif ( '' !== $language && self::has_wpml() ) {
			$translated = apply_filters( 'wpml_object_id', wc_get_page_id( $page ), 'page', true, $language );
			$url        = (string) apply_filters( 'wpml_permalink', get_permalink( $translated ), $language );
		}
		$currency = (string) ( $row['currency'] ?? '' );
		if ( '' !== $currency && get_woocommerce_currency() !== $currency && self::has_currency_parameter() ) {
			$url = add_query_arg( 'currency', $currency, $url );
		}
		return $url;
	}

	/**
	 * The code under which the site's language plugin knows a locale; "" if it does not.
	 *
	 * @param string $locale Such as fr_FR.
	 */
	private static function language_of( string $locale ): string {
		if ( '' === $locale ) {
			return '';
		}
		if ( function_exists( 'pll_languages_list' ) ) {
			$found = array_search( $locale, pll_languages_list( array( 'fields' => 'locale' ) ), true );
			return false === $found ? '' : (string) ( pll_languages_list( array( 'fields' => 'slug' ) )[ $found ] ?? '' );
		}
		if ( self::has_wpml() ) {
			foreach ( (array) apply_filters( 'wpml_active_languages', array() ) as $code => $about ) {
				if ( ( $about['default_locale'] ?? '' ) === $locale ) {
					return (string) $code;
				}
			}
		}
		return '';
	}

	/**
	 * Makes the prices of this session those of a currency.
	 *
	 * @param string $currency Such as EUR, or "".
	 */
	private static function pay_in( string $currency ): void {
		if ( '' === $currency || get_woocommerce_currency() === $currency ) {
			return;
		}
		if ( class_exists( 'woocommerce_wpml' ) ) {
			WC()->session->set( 'client_currency', $currency );
		} elseif ( isset( $GLOBALS['WOOCS'] ) && is_callable( array( $GLOBALS['WOOCS'], 'set_currency' ) ) ) {
			$GLOBALS['WOOCS']->set_currency( $currency );
		}
	}

	/**
	 * Whether a plugin takes the currency out of the address.
	 */
	private static function has_currency_parameter(): bool {
		return isset( $GLOBALS['WOOCS'] ) || function_exists( 'WC_Payments_Multi_Currency' );
	}

	/**
	 * Whether WPML is there. Polylang answers some of its names too, so it is asked for first.
	 */
	private static function has_wpml(): bool {
		return defined( 'ICL_SITEPRESS_VERSION' );
	}
}
