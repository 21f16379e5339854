<?php
/**
 * The boxes a shopper can tick at the checkout.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Shows the boxes on the block checkout (as WooCommerce's own additional fields) and on the classic one, and reads
 * what was ticked. None is ticked beforehand unless the same shopper ticked it before.
 */
final class Boxes {

	/**
	 * A box by the name Consent knows it by: its id on the block checkout.
	 */
	const FIELDS = array(
		'email'     => 'connector-carts/email-consent',
		'sms'       => 'connector-carts/sms-consent',
		'no_thanks' => 'connector-carts/no-thanks',
	);

	/**
	 * The classic form's names begin with this.
	 */
	const PREFIX = 'connector_carts_';

	/**
	 * The classic form says here which boxes it showed: an unticked box is not sent by browsers.
	 */
	const SHOWN = 'connector_carts_shown';

	/**
	 * Binds both checkouts.
	 */
	public static function register(): void {
		add_action( 'woocommerce_init', array( self::class, 'add_to_block' ) );
		add_action( 'woocommerce_after_checkout_billing_form', array( self::class, 'show_on_classic' ) );
		add_action( 'woocommerce_save_account_details', array( self::class, 'take_from_account' ), 20 );
	}

	/**
	 * The boxes to show now: name and label.
	 */
	public static function offered(): array {
		if ( ! Settings::may_capture() ) {
			return array();
		}
		$labels = array( 'email' => Settings::wording( 'email' ) );
		if ( Settings::sms_box() && 'hidden' !== get_option( 'woocommerce_checkout_phone_field', 'required' ) ) {
			$labels['sms'] = Settings::wording( 'sms' );
		}
		if ( 'everyone' === Settings::capture_mode() ) {
			$labels['no_thanks'] = Settings::notice();
		}
		return array_filter( array_map( 'trim', $labels ) );
	}

	/**
	 * Adds the boxes to the block checkout, below the e-mail address.
	 */
	public static function add_to_block(): void {
		if ( ! function_exists( 'woocommerce_register_additional_checkout_field' ) ) {
			return;
		}
		foreach ( self::offered() as $name => $label ) {
			woocommerce_register_additional_checkout_field(
				array(
					'id'                         => self::FIELDS[ $name ],
					'label'                      => $label,
					'optionalLabel'              => $label,
					'location'                   => 'contact',
					'type'                       => 'checkbox',
					'required'                   => false,
					'show_in_order_confirmation' => false,
				)
			);
		}
	}

	/**
	 * Prints the boxes on the classic checkout, with the few lines of script that report an address as it is typed.
	 */
	public static function show_on_classic(): void {
		$offered = self::offered();
		foreach ( $offered as $name => $label ) {
			$ticked = 'no_thanks' === $name ? Consent::opted_out() : Consent::given( $name );
			printf(
				'<p class="form-row form-row-wide connector-carts-box"><label class="woocommerce-form__label woocommerce-form__label-for-checkbox checkbox">'
				. '<input type="checkbox" class="woocommerce-form__input woocommerce-form__input-checkbox input-checkbox" name="%s" value="1"%s> <span>%s</span></label></p>',
				esc_attr( self::PREFIX . $name ),
				checked( $ticked, true, false ),
				esc_html( $label )
			);
		}
		if ( $offered ) {
			printf( '<input type="hidden" name="%s" value="%s">', esc_attr( self::SHOWN ), esc_attr( implode( ' ', array_keys( $offered ) ) ) );
		}
		if ( Settings::may_capture() ) {
			wp_enqueue_script( 'connector-carts-classic', plugins_url( 'assets/classic-email.js', CONNECTOR_CARTS_FILE ), array( 'jquery', 'wc-checkout' ), CONNECTOR_CARTS_VERSION, true );
		}
	}

	/**
	 * Takes the ticks out of a block checkout's request, if it carries any.
	 *
	 * @param \WP_REST_Request $request Any request of the Store API.
	 */
	public static function take_from_block( $request ): void {
		$fields = $request['additional_fields'] ?? null;
		if ( ! is_array( $fields ) && ! is_object( $fields ) ) {
			return;
		}
		$ticks = array();
		foreach ( array_intersect_key( self::FIELDS, self::offered() ) as $name => $id ) {
			if ( array_key_exists( $id, (array) $fields ) ) {
				$ticks[ $name ] = self::is_ticked( ( (array) $fields )[ $id ] );
			}
		}
		if ( $ticks ) {
			Consent::take( $ticks, 'block' );
		}
	}

	/**
	 * Takes the ticks from a customer's own account page, where WooCommerce shows its additional fields too.
	 *
	 * @param mixed $user Whose account was saved.
	 */
	public static function take_from_account( $user ): void {
		if ( (int) $user !== get_current_user_id() ) {
			return;
		}
		$customer = new \WC_Customer( (int) $user );
		$ticks    = array();
		foreach ( array_intersect_key( self::FIELDS, self::offered() ) as $name => $id ) {
			$value = (string) $customer->get_meta( '_wc_other/' . $id );
			if ( '' !== $value ) {
				$ticks[ $name ] = self::is_ticked( $value );
			}
		}
		if ( $ticks ) {
			Consent::take( $ticks, 'block' );
			Capture::touch();
		}
	}

	/**
	 * Takes the ticks out of a classic checkout form.
	 *
	 * @param array $form The form's fields.
	 */
	public static function take_from_classic( array $form ): void {
		$shown = is_string( $form[ self::SHOWN ] ?? null ) ? explode( ' ', $form[ self::SHOWN ] ) : array();
		$ticks = array();
		foreach ( array_keys( self::offered() ) as $name ) {
			if ( in_array( $name, $shown, true ) ) {
				$ticks[ $name ] = self::is_ticked( $form[ self::PREFIX . $name ] ?? '' );
			}
		}
		if ( $ticks ) {
			Consent::take( $ticks, 'classic' );
		}
	}

	/**
	 * Whether a sent value means a tick.
	 *
	 * @param mixed $value True, "1", "on", false, "0", "".
	 */
	private static function is_ticked( $value ): bool {
		return is_scalar( $value ) && ! in_array( strtolower( (string) $value ), array( '', '0', 'false', 'off' ), true );
	}
}
