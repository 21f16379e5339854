<?php
/**
 * People, errors, the main query, and WordPress's REST requests.
 */

use ConnectorCarts\Tests\World;

class WP_User {

	/** @var int */
	public $ID;
	/** @var string */
	public $user_email;
	/** @var string */
	public $user_login;
	/** @var array<string, bool> */
	public $allcaps;
	/** @var array<int, string> */
	public $roles;
	/** @var array<string, mixed> */
	public $meta = array();

	public function __construct( int $id = 0, string $email = '', array $capabilities = array() ) {
		$this->ID         = $id;
		$this->user_email = $email;
		$this->user_login = 'user' . $id;
		$this->allcaps    = array_fill_keys( $capabilities, true );
		$this->roles      = in_array( 'manage_woocommerce', $capabilities, true ) ? array( 'shop_manager' ) : array( 'customer' );
	}

	public function has_cap( $capability ) {
		return ! empty( $this->allcaps[ $capability ] );
	}

	public function exists() {
		return $this->ID > 0;
	}
}

class WP_Error {

	/** @var array<string, array<int, string>> */
	public $errors = array();
	/** @var array<string, mixed> */
	public $error_data = array();

	public function __construct( $code = '', $message = '', $data = '' ) {
		if ( $code ) {
			$this->add( $code, $message, $data );
		}
	}

	public function add( $code, $message, $data = '' ) {
		$this->errors[ $code ][]   = $message;
		$this->error_data[ $code ] = $data;
	}

	public function get_error_code() {
		return (string) key( $this->errors );
	}

	public function get_error_message() {
		return (string) ( current( $this->errors )[0] ?? '' );
	}

	public function get_error_data() {
		return $this->error_data[ $this->get_error_code() ] ?? null;
	}

	public function has_errors() {
		return (bool) $this->errors;
	}
}

function is_wp_error( $thing ) {
	return $thing instanceof WP_Error;
}

class WP_Query {

	/** @var bool */
	public $is_404 = false;

	public function set_404() {
		$this->is_404 = true;
	}

	public function is_main_query() {
		return true;
	}
}

class WP_REST_Server {
	const READABLE = 'GET';
}

class WP_REST_Request implements ArrayAccess {

	/** @var string */
	public $method;
	/** @var string */
	public $route;
	/** @var array<string, mixed> */
	public $params;

	public function __construct( string $method = 'GET', string $route = '', array $params = array() ) {
		$this->method = $method;
		$this->route  = $route;
		$this->params = $params;
	}

	public function get_param( $name ) {
		return $this->params[ $name ] ?? null;
	}

	public function set_param( $name, $value ) {
		$this->params[ $name ] = $value;
	}

	public function get_params() {
		return $this->params;
	}

	public function get_json_params() {
		return $this->params;
	}

	public function get_route() {
		return $this->route;
	}

	public function get_method() {
		return $this->method;
	}

	#[\ReturnTypeWillChange]
	public function offsetExists( $name ) {
		return isset( $this->params[ $name ] );
	}

	#[\ReturnTypeWillChange]
	public function offsetGet( $name ) {
		return $this->get_param( $name );
	}

	#[\ReturnTypeWillChange]
	public function offsetSet( $name, $value ) {
		$this->params[ $name ] = $value;
	}

	#[\ReturnTypeWillChange]
	public function offsetUnset( $name ) {
		unset( $this->params[ $name ] );
	}
}

class WP_REST_Response {

	/** @var mixed */
	public $data;
	/** @var int */
	public $status;
	/** @var array<string, string> */
	public $headers = array();

	public function __construct( $data = null, $status = 200, $headers = array() ) {
		$this->data    = $data;
		$this->status  = $status;
		$this->headers = $headers;
	}

	public function header( $name, $value ) {
		$this->headers[ $name ] = (string) $value;
	}

	public function get_data() {
		return $this->data;
	}

	public function get_status() {
		return $this->status;
	}

	public function get_headers() {
		return $this->headers;
	}
}

function rest_ensure_response( $answer ) {
	return $answer instanceof WP_Error || $answer instanceof WP_REST_Response ? $answer : new WP_REST_Response( $answer );
}

function rest_authorization_required_code() {
	return is_user_logged_in() ? 403 : 401;
}

function register_rest_route( $namespace, $route, $about = array(), $override = false ) {
	if ( ! did_action( 'rest_api_init' ) ) {
		throw new LogicException( 'REST routes are registered on rest_api_init' );
	}
	World::$routes[ '/' . trim( $namespace, '/' ) . $route ] = isset( $about[0] ) ? $about[0] : $about;
	return true;
}

/** Answer a request as the server would: route, then parameters, then permission, then the callback. */
function rest_do_request( WP_REST_Request $request ) {
	did_action( 'rest_api_init' ) || do_action( 'rest_api_init' );
	foreach ( World::$routes as $pattern => $about ) {
		if ( preg_match( '@^' . $pattern . '$@i', $request->route, $match ) && $about['methods'] === $request->method ) {
			return rest_answer( $request, $about, array_filter( $match, 'is_string', ARRAY_FILTER_USE_KEY ) );
		}
	}
	return new WP_REST_Response( array( 'code' => 'rest_no_route' ), 404 );
}

function rest_answer( WP_REST_Request $request, array $about, array $named ) {
	$request->params = array_merge( $request->params, $named );
	foreach ( $about['args'] ?? array() as $name => $rule ) {
		if ( ! isset( $request->params[ $name ] ) && isset( $rule['default'] ) ) {
			$request->params[ $name ] = $rule['default'];
		}
		$value = $request->params[ $name ] ?? null;
		$bad   = null !== $value && ( ( 'integer' === ( $rule['type'] ?? '' ) && ( ! is_numeric( $value ) || $value < ( $rule['minimum'] ?? $value ) || $value > ( $rule['maximum'] ?? $value ) ) )
			|| ( isset( $rule['validate_callback'] ) && true !== $rule['validate_callback']( $value, $request, $name ) ) );
		if ( $bad || ( null === $value && ! empty( $rule['required'] ) ) ) {
			return new WP_REST_Response( array( 'code' => 'rest_invalid_param' ), 400 );
		}
	}
	$allowed = call_user_func( $about['permission_callback'], $request );
	$answer  = true === $allowed ? call_user_func( $about['callback'], $request ) : $allowed;
	$answer  = false === $answer ? new WP_Error( 'rest_forbidden', '', array( 'status' => rest_authorization_required_code() ) ) : $answer;
	return is_wp_error( $answer ) ? new WP_REST_Response( array( 'code' => $answer->get_error_code() ), $answer->get_error_data()['status'] ) : rest_ensure_response( $answer );
}
