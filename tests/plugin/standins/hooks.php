<?php
/**
 * Actions, filters, options, transients and schedules, as WordPress answers them.
 */

use ConnectorCarts\Tests\World;

function add_filter( $hook, $callback, $priority = 10, $accepted = 1 ) {
	World::$hooks[ $hook ][ $priority ][] = array( $callback, $accepted );
	return true;
}

function add_action( $hook, $callback, $priority = 10, $accepted = 1 ) {
	return add_filter( $hook, $callback, $priority, $accepted );
}

function remove_filter( $hook, $callback, $priority = 10 ) {
	foreach ( World::$hooks[ $hook ][ $priority ] ?? array() as $index => $entry ) {
		if ( $entry[0] === $callback ) {
			unset( World::$hooks[ $hook ][ $priority ][ $index ] );
			return true;
		}
	}
	return false;
}

function remove_action( $hook, $callback, $priority = 10 ) {
	return remove_filter( $hook, $callback, $priority );
}

function has_filter( $hook, $callback = false ) {
	foreach ( World::$hooks[ $hook ] ?? array() as $priority => $entries ) {
		foreach ( $entries as $entry ) {
			if ( false === $callback ) {
				return true;
			}
			if ( $entry[0] === $callback ) {
				return $priority;
			}
		}
	}
	return false;
}

function has_action( $hook, $callback = false ) {
	return has_filter( $hook, $callback );
}

function apply_filters( $hook, $value, ...$more ) {
	World::$current[] = $hook;
	$entries          = World::$hooks[ $hook ] ?? array();
	ksort( $entries );
	foreach ( array_merge( array(), ...array_values( $entries ) ) as list( $callback, $accepted ) ) {
		$value = $callback instanceof Closure || is_string( $callback ) || is_array( $callback )
			? call_user_func_array( $callback, array_slice( array_merge( array( $value ), $more ), 0, $accepted ) ) : $value;
	}
	array_pop( World::$current );
	return $value;
}

function do_action( $hook, ...$arguments ) {
	World::$current[]     = $hook;
	World::$done[ $hook ] = ( World::$done[ $hook ] ?? 0 ) + 1;
	$entries              = World::$hooks[ $hook ] ?? array();
	ksort( $entries );
	foreach ( array_merge( array(), ...array_values( $entries ) ) as list( $callback, $accepted ) ) {
		call_user_func_array( $callback, array_slice( $arguments ? $arguments : array( '' ), 0, $accepted ) );
	}
	array_pop( World::$current );
}

function did_action( $hook ) {
	return World::$done[ $hook ] ?? 0;
}

function doing_action( $hook = null ) {
	return null === $hook ? (bool) World::$current : in_array( $hook, World::$current, true );
}

function current_filter() {
	return end( World::$current );
}

function current_action() {
	return current_filter();
}

function get_option( $name, $default = false ) {
	return apply_filters( 'option_' . $name, array_key_exists( $name, World::$options ) ? World::$options[ $name ] : $default, $name );
}

function update_option( $name, $value, $autoload = null ) {
	if ( array_key_exists( $name, World::$options ) && World::$options[ $name ] === $value ) {
		return false;
	}
	World::$options[ $name ] = apply_filters( 'sanitize_option_' . $name, $value, $name );
	do_action( 'update_option_' . $name );
	return true;
}

function add_option( $name, $value = '', $deprecated = '', $autoload = null ) {
	if ( array_key_exists( $name, World::$options ) ) {
		return false;
	}
	World::$options[ $name ] = $value;
	return true;
}

function delete_option( $name ) {
	$was = array_key_exists( $name, World::$options );
	unset( World::$options[ $name ] );
	return $was;
}

function get_transient( $name ) {
	$kept = World::$transients[ $name ] ?? array( false, 0 );
	return 0 === $kept[1] || $kept[1] > World::$now ? $kept[0] : false;
}

function set_transient( $name, $value, $seconds = 0 ) {
	World::$transients[ $name ] = array( $value, $seconds ? World::$now + $seconds : 0 );
	return true;
}

function delete_transient( $name ) {
	unset( World::$transients[ $name ] );
	return true;
}

function wp_next_scheduled( $hook, $arguments = array() ) {
	return isset( World::$scheduled[ $hook ] ) ? World::$scheduled[ $hook ][0] : false;
}

function wp_schedule_event( $at, $recurrence, $hook, $arguments = array() ) {
	World::$scheduled[ $hook ] = array( $at, $recurrence );
	return true;
}

function wp_schedule_single_event( $at, $hook, $arguments = array() ) {
	World::$scheduled[ $hook ] = array( $at, '' );
	return true;
}

function wp_clear_scheduled_hook( $hook, $arguments = array() ) {
	$was = isset( World::$scheduled[ $hook ] ) ? 1 : 0;
	unset( World::$scheduled[ $hook ] );
	return $was;
}

function register_activation_hook( $file, $callback ) {
	add_action( 'activate_connector', $callback );
}

function register_deactivation_hook( $file, $callback ) {
	add_action( 'deactivate_connector', $callback );
}

function wp_cache_get( $key, $group = '' ) {
	return false;
}

function wp_cache_set( $key, $value, $group = '', $expire = 0 ) {
	return true;
}

function wp_cache_delete( $key, $group = '' ) {
	return true;
}
