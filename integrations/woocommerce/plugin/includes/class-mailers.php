<?php
/**
 * Others that write to shoppers about their carts.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Finds them, and holds back the one that WooCommerce brings along.
 */
final class Mailers {

	/**
	 * Plugins by the folders they live in.
	 */
	const FOLDERS = array(
		'automatewoo'                                      => 'automatewoo',
		'woo-cart-abandonment-recovery'                    => 'cartflows',
		'klaviyo'                                          => 'klaviyo',
		'mailchimp-for-woocommerce'                        => 'mailchimp',
		'mailpoet'                                         => 'mailpoet',
		'omnisend-connect'                                 => 'omnisend',
		'omnisend'                                         => 'omnisend',
		'retainful-next-order-coupon-for-woocommerce'      => 'retainful',
		'woocommerce-abandoned-cart'                       => 'tyche',
		'woocommerce-abandon-cart-pro'                     => 'tyche',
		'mailin'                                           => 'brevo',
		'woocommerce-sendinblue-newsletter-subscription'   => 'brevo',
		'makewebbetter-hubspot-for-woocommerce'            => 'hubspot',
		'hubspot-for-woocommerce'                          => 'hubspot',
		'drip'                                             => 'drip',
		'drip-ecommerce'                                   => 'drip',
	);

	const TITLES = array(
		'core'        => 'WooCommerce',
		'automatewoo' => 'AutomateWoo',
		'cartflows'   => 'Cart Abandonment Recovery (CartFlows)',
		'klaviyo'     => 'Klaviyo',
		'mailchimp'   => 'Mailchimp',
		'mailpoet'    => 'MailPoet',
		'omnisend'    => 'Omnisend',
		'retainful'   => 'Retainful',
		'tyche'       => 'Abandoned Cart (Tyche)',
		'brevo'       => 'Brevo',
		'hubspot'     => 'HubSpot',
		'drip'        => 'Drip',
	);

	/**
	 * Binds the hold on WooCommerce's own reminder.
	 */
	public static function register(): void {
		add_filter( 'woocommerce_abandoned_cart_recovery_suppress', array( self::class, 'hold_back' ) );
	}

	/**
	 * Holds WooCommerce's reminder back while ours get through and the merchant wants it so.
	 *
	 * @param mixed $suppressed What others said.
	 */
	public static function hold_back( $suppressed ): bool {
		return $suppressed || ( Settings::holds_back_core() && Settings::may_capture() && 'active' === Webhook::state()['status'] );
	}

	/**
	 * Those that are active, by their short names: WooCommerce's own first, the others by the alphabet.
	 */
	public static function active(): array {
		$plugins = (array) get_option( 'active_plugins', array() );
		if ( function_exists( 'get_site_option' ) ) {
			$plugins = array_merge( $plugins, array_keys( (array) get_site_option( 'active_sitewide_plugins', array() ) ) );
		}
		$found = array();
		foreach ( $plugins as $file ) {
			$folder = explode( '/', (string) $file )[0];
			if ( isset( self::FOLDERS[ $folder ] ) ) {
				$found[] = self::FOLDERS[ $folder ];
			}
		}
		$found = array_values( array_unique( $found ) );
		sort( $found );
		return self::core_sends() ? array_merge( array( 'core' ), $found ) : $found;
	}

	/**
	 * The name under which people know one of them.
	 *
	 * @param string $name Short name.
	 */
	public static function title( string $name ): string {
		return self::TITLES[ $name ] ?? $name;
	}

	/**
	 * Whether WooCommerce's own reminder (11.0 and later) is on and nobody holds it back.
	 */
	private static function core_sends(): bool {
		if ( 'yes' !== get_option( 'woocommerce_feature_abandoned_cart_recovery_enabled', 'no' ) ) {
			return false;
		}
		$settings = (array) get_option( 'woocommerce_customer_abandoned_cart_recovery_settings', array() );
		if ( 'no' === ( $settings['enabled'] ?? 'yes' ) || 'yes' !== ( $settings['automated'] ?? 'no' ) ) {
			return false;
		}
		// WooCommerce's own question (11.0, class-wc-email-customer-abandoned-cart-recovery.php).
		return ! apply_filters( 'woocommerce_abandoned_cart_recovery_suppress', false );
	}
}
