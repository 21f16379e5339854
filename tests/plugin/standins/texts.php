<?php
/**
 * WordPress functions for texts: translated, escaped, cleaned.
 */

function __( $text, $domain = 'default' ) {
	return $text;
}

function _x( $text, $context, $domain = 'default' ) {
	return $text;
}

function _n( $one, $many, $number, $domain = 'default' ) {
	return 1 === (int) $number ? $one : $many;
}

function esc_html( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES );
}

function esc_attr( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES );
}

function esc_textarea( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES );
}

function esc_url( $url ) {
	return str_replace( array( '&', "'" ), array( '&#038;', '&#039;' ), esc_url_raw( $url ) );
}

function esc_url_raw( $url ) {
	return preg_match( '~^(https?:|/|\?|#)~', $url ) ? str_replace( array( ' ', '<', '>', '"' ), array( '%20', '', '', '' ), $url ) : '';
}

function esc_html__( $text, $domain = 'default' ) {
	return esc_html( $text );
}

function esc_attr__( $text, $domain = 'default' ) {
	return esc_attr( $text );
}

function esc_html_e( $text, $domain = 'default' ) {
	echo esc_html( $text );
}

function esc_attr_e( $text, $domain = 'default' ) {
	echo esc_attr( $text );
}

function wp_kses_post( $text ) {
	return strip_tags( (string) $text, '<a><b><strong><em><i><p><br><ul><ol><li><code>' );
}

function wp_kses( $text, $allowed ) {
	return strip_tags( (string) $text, '<' . implode( '><', array_keys( (array) $allowed ) ) . '>' );
}

function wp_strip_all_tags( $text, $breaks = false ) {
	return trim( strip_tags( (string) $text ) );
}

function wpautop( $text ) {
	return '<p>' . $text . '</p>';
}

function wp_unslash( $value ) {
	return is_array( $value ) ? array_map( 'wp_unslash', $value ) : ( is_string( $value ) ? stripslashes( $value ) : $value );
}

function wp_slash( $value ) {
	return is_array( $value ) ? array_map( 'wp_slash', $value ) : ( is_string( $value ) ? addslashes( $value ) : $value );
}

function sanitize_text_field( $text ) {
	return is_scalar( $text ) ? trim( preg_replace( '/[\r\n\t ]+/', ' ', strip_tags( (string) $text ) ) ) : '';
}

function sanitize_textarea_field( $text ) {
	return is_scalar( $text ) ? trim( strip_tags( (string) $text ) ) : '';
}

function sanitize_key( $text ) {
	return is_scalar( $text ) ? preg_replace( '/[^a-z0-9_\-]/', '', strtolower( (string) $text ) ) : '';
}

function sanitize_title( $text ) {
	return trim( preg_replace( '/[^a-z0-9_]+/', '-', strtolower( (string) $text ) ), '-' );
}

function sanitize_email( $text ) {
	return is_email( $text ) ? $text : '';
}

function is_email( $text ) {
	return filter_var( $text, FILTER_VALIDATE_EMAIL ) ? $text : false;
}

function absint( $value ) {
	return abs( (int) $value );
}

function wp_json_encode( $value, $flags = 0 ) {
	return json_encode( $value, $flags );
}
