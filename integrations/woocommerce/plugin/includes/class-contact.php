<?php
/**
 * Who the shopper is.
 *
 * @package ConnectorCarts
 */

namespace ConnectorCarts;

defined( 'ABSPATH' ) || exit;

/**
 * Gathers the shopper's contact from the checkouts, the account, and newsletter forms where the shop chose that.
 */
final class Contact {

	/**
	 * The parts of a contact, and what WooCommerce calls them.
	 */
	const FIELDS = array(
		'email'      => 'billing_email',
		'phone'      => 'billing_phone',
		'first_name' => 'billing_first_name',
		'last_name'  => 'billing_last_name',
		'company'    => 'billing_company',
		'country'    => 'billing_country',
	);

	/**
	 * The contact that WooCommerce holds for the present shopper.
	 *
	 * @param \WC_Customer $customer The shopper.
	 */
	public static function of_customer( $customer ): array {
		$contact = array();
		foreach ( self::FIELDS as $part => $field ) {
			$contact[ $part ] = trim( (string) $customer->{"get_$field"}() );
		}
		if ( '' === $contact['phone'] ) {
			$contact['phone'] = trim( (string) $customer->get_shipping_phone() );
		}
		return $contact;
	}

	/**
	 * The contact in a classic checkout's form.
	 *
	 * @param array $form The form's fields.
	 */
	public static function of_form( array $form ): array {
		$contact = array();
		foreach ( self::FIELDS as $part => $field ) {
			$contact[ $part ] = is_string( $form[ $field ] ?? null ) ? sanitize_text_field( $form[ $field ] ) : '';
		}
		return $contact;
	}

	/**
	 * Remembers the parts of a contact that say something; what is no address says nothing.
	 *
	 * @param array $contact Some of FIELDS' parts.
	 */
	public static function know( array $contact ): void {
		if ( ! is_email( $contact['email'] ?? '' ) ) {
			unset( $contact['email'] );
		}
		if ( ! preg_match( '/\d.*\d.*\d/', $contact['phone'] ?? '' ) ) {
			unset( $contact['phone'] );
		}
		$known = array_filter( array_intersect_key( $contact, self::FIELDS ), 'strlen' );
		Visit::write( array( 'contact' => array_merge( Visit::read()['contact'], $known ) ) );
	}

	/**
	 * Who the shopper is, as far as this visit tells: what was typed, else the account, else the newsletter's form.
	 */
	public static function present(): array {
		$visit   = Visit::read();
		$account = is_object( WC()->customer ?? null ) ? self::of_customer( WC()->customer ) : array();
		$contact = array_merge( array_fill_keys( array_keys( self::FIELDS ), '' ), $account, $visit['contact'] );
		if ( '' === $contact['email'] && get_current_user_id() > 0 ) {
			$contact['email'] = (string) wp_get_current_user()->user_email;
		}
		$contact['email'] = Cart_Store::address( '' !== $contact['email'] ? $contact['email'] : $visit['newsletter'] );
		return $contact;
	}

	/**
	 * Whether what was typed after a link was opened is not the person the cart was kept for. Two addresses decide;
	 * with only one of them known, the phone does.
	 *
	 * @param array $row     The cart of the link.
	 * @param array $contact What was typed; nothing typed is nobody else.
	 */
	public static function is_another_person( array $row, array $contact ): bool {
		if ( '' !== $contact['email'] && '' !== $row['email'] ) {
			return $row['email'] !== Cart_Store::address( $contact['email'] );
		}
		return '' !== $contact['email'] . $contact['phone'] && $contact['phone'] !== $row['phone'];
	}
}
