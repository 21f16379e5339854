<?php
/**
 * WordPress functions that the plugin calls: people, addresses, answers.
 */

use ConnectorCarts\Tests\Left;
use ConnectorCarts\Tests\World;

define( 'ABSPATH', __DIR__ . '/' );
define( 'MINUTE_IN_SECONDS', 60 );
define( 'HOUR_IN_SECONDS', 3600 );
define( 'DAY_IN_SECONDS', 86400 );

function wp_parse_args( $given, $defaults = array() ) {
	is_array( $given ) || parse_str( (string) $given, $given );
	return array_merge( $defaults, $given );
}

function wp_parse_url( $url, $part = -1 ) {
	return parse_url( $url, $part );
}

function wp_parse_str( $text, &$into ) {
	parse_str( (string) $text, $into );
}

function wp_generate_password( $length = 12, $special = true, $extra = false ) {
	return substr( bin2hex( random_bytes( $length ) ), 0, $length );
}

function untrailingslashit( $text ) {
	return rtrim( $text, '/\\' );
}

function trailingslashit( $text ) {
	return untrailingslashit( $text ) . '/';
}

function home_url( $path = '', $scheme = null ) {
	return apply_filters( 'home_url', untrailingslashit( (string) get_option( 'home' ) ) . ( '' === $path ? '' : '/' . ltrim( $path, '/' ) ), $path );
}

function site_url( $path = '' ) {
	return untrailingslashit( (string) get_option( 'siteurl' ) ) . ( '' === $path ? '' : '/' . ltrim( $path, '/' ) );
}

function admin_url( $path = '' ) {
	return site_url( 'wp-admin/' . ltrim( $path, '/' ) );
}

function rest_url( $path = '' ) {
	return home_url( 'wp-json/' . ltrim( $path, '/' ) );
}

function add_query_arg( ...$given ) {
	$pairs = is_array( $given[0] ) ? $given[0] : array( $given[0] => $given[1] );
	$url   = (string) ( is_array( $given[0] ) ? ( $given[1] ?? $_SERVER['REQUEST_URI'] ) : ( $given[2] ?? $_SERVER['REQUEST_URI'] ) );
	$parts = explode( '?', $url, 2 );
	parse_str( $parts[1] ?? '', $query );
	$query = array_filter( array_merge( $query, $pairs ), static fn( $value ) => false !== $value );
	return $parts[0] . ( $query ? '?' . urldecode( http_build_query( $query ) ) : '' );
}

function remove_query_arg( $names, $url = null ) {
	return add_query_arg( array_fill_keys( (array) $names, false ), $url ?? $_SERVER['REQUEST_URI'] );
}

function plugin_basename( $file ) {
	return basename( dirname( $file ) ) . '/' . basename( $file );
}

function plugin_dir_path( $file ) {
	return trailingslashit( dirname( $file ) );
}

function plugins_url( $path = '', $file = '' ) {
	return site_url( 'wp-content/plugins/connector-carts/' . ltrim( $path, '/' ) );
}

function plugin_dir_url( $file ) {
	return plugins_url( '/' );
}

function load_plugin_textdomain( ...$given ) {
	World::trace( 'load_plugin_textdomain', ...$given );
	return true;
}

function get_bloginfo( $what = '' ) {
	return array(
		'version' => '6.9.7',
		'name'    => 'Shop',
	)[ $what ] ?? '';
}

function wp_get_theme() {
	return null;
}

function get_locale() {
	return World::$facts['locale'];
}

function determine_locale() {
	return apply_filters( 'determine_locale', World::$facts['locale'] );
}

function get_user_locale() {
	return World::$facts['locale'];
}

function is_admin() {
	return World::$facts['is_admin'];
}

function wp_doing_ajax() {
	return ! empty( World::$facts['doing_ajax'] );
}

function wp_doing_cron() {
	return ! empty( World::$facts['doing_cron'] );
}

function is_ssl() {
	return true;
}

function wp_is_json_request() {
	return false;
}

function get_current_user_id() {
	return World::$user;
}

function is_user_logged_in() {
	return World::$user > 0;
}

function wp_get_current_user() {
	return World::$users[ World::$user ] ?? new WP_User();
}

function get_userdata( $id ) {
	return World::$users[ $id ] ?? false;
}

function get_user_by( $field, $value ) {
	foreach ( World::$users as $user ) {
		if ( ( 'email' === $field && strtolower( $user->user_email ) === strtolower( (string) $value ) ) || ( 'id' === strtolower( $field ) && (int) $value === $user->ID ) ) {
			return $user;
		}
	}
	return false;
}

function user_can( $user, $capability ) {
	$user = is_object( $user ) ? $user : get_userdata( (int) $user );
	return $user && ! empty( $user->allcaps[ $capability ] );
}

function current_user_can( $capability ) {
	return user_can( World::$user, $capability );
}

function get_user_meta( $id, $key = '', $single = false ) {
	return World::$users[ $id ]->meta[ $key ] ?? '';
}

function update_user_meta( $id, $key, $value ) {
	World::$users[ $id ]->meta[ $key ] = $value;
	return true;
}

function delete_user_meta( $id, $key ) {
	$was = isset( World::$users[ $id ]->meta[ $key ] );
	unset( World::$users[ $id ]->meta[ $key ] );
	return $was;
}

function delete_metadata( $kind, $id, $key, $value = '', $all = false ) {
	foreach ( $all ? array_keys( World::$users ) : array( $id ) as $user ) {
		delete_user_meta( $user, $key );
	}
	return true;
}

function wp_set_auth_cookie( ...$given ) {
	World::trace( 'wp_set_auth_cookie', ...$given );
}

function wp_set_current_user( $id ) {
	World::trace( 'wp_set_current_user', $id );
	World::$user = $id;
}

function wp_redirect( $url, $status = 302 ) {
	throw new Left( 'redirect', $url, $status );
}

function wp_validate_redirect( $url, $instead = '' ) {
	$host = parse_url( $url, PHP_URL_HOST );
	return null === $host || parse_url( home_url(), PHP_URL_HOST ) === $host ? $url : $instead;
}

function wp_safe_redirect( $url, $status = 302 ) {
	wp_redirect( wp_validate_redirect( $url, admin_url() ), $status );
}

function wp_die( $message = '', $title = '', $about = array() ) {
	throw new Left( is_string( $message ) ? $message : 'died', '', (int) ( ( is_array( $about ) ? $about : array() )['response'] ?? 500 ) );
}

function status_header( $status ) {
	World::$status = $status;
}

function nocache_headers() {
	World::trace( 'nocache_headers' );
}

function wp_verify_nonce( $nonce, $action = -1 ) {
	return 'nonce-of-' . $action === $nonce ? 1 : false;
}

function wp_create_nonce( $action = -1 ) {
	return 'nonce-of-' . $action;
}

function wp_nonce_field( $action = -1, $name = '_wpnonce', $referer = true, $display = true ) {
	$field = '<input type="hidden" name="' . $name . '" value="' . wp_create_nonce( $action ) . '" />';
	if ( $display ) {
		echo $field;
	}
	return $field;
}

function wp_nonce_url( $url, $action = -1, $name = '_wpnonce' ) {
	return add_query_arg( $name, wp_create_nonce( $action ), $url );
}

function check_admin_referer( $action = -1, $name = '_wpnonce' ) {
	return wp_verify_nonce( $_REQUEST[ $name ] ?? '', $action ) ? 1 : wp_die( 'The link you followed has expired.', '', array( 'response' => 403 ) );
}

function checked( $one, $other = true, $display = true ) {
	$text = (string) $one === (string) $other ? " checked='checked'" : '';
	if ( $display ) {
		echo $text;
	}
	return $text;
}

function selected( $one, $other = true, $display = true ) {
	$text = (string) $one === (string) $other ? " selected='selected'" : '';
	if ( $display ) {
		echo $text;
	}
	return $text;
}

function submit_button( $text = 'Save Changes' ) {
	echo '<p class="submit"><input type="submit" class="button button-primary" value="' . esc_attr( $text ) . '" /></p>';
}

function wp_date( $format, $at = null ) {
	return gmdate( $format, $at ?? World::$now );
}

function current_time( $type, $gmt = 0 ) {
	return 'mysql' === $type ? gmdate( 'Y-m-d H:i:s', World::$now ) : World::$now;
}

function human_time_diff( $from, $to = 0 ) {
	return (int) round( abs( ( $to ? $to : World::$now ) - $from ) / 60 ) . ' mins';
}

function number_format_i18n( $number ) {
	return (string) $number;
}

function wp_get_attachment_image_url( $id, $size = '' ) {
	return $id ? "https://shop.example/image-$id.jpg" : false;
}

function wp_get_attachment_url( $id ) {
	return wp_get_attachment_image_url( $id );
}

function get_post( $id = 0 ) {
	global $wpdb;
	$row = $wpdb->get_row( $wpdb->prepare( 'SELECT * FROM wp_posts WHERE ID = %d', $id ) );
	return $row ? $row : null;
}

function get_site_option( $name, $default = false ) {
	return $default;
}

function switch_to_locale( $locale ) {
	World::$facts['locale'] = $locale;
	return true;
}

function wp_remote_retrieve_response_code( $response ) {
	return is_array( $response ) ? ( $response['response']['code'] ?? '' ) : '';
}

function get_permalink( $id = 0 ) {
	return home_url( '/?page_id=' . $id );
}
