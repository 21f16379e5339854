<?php
/**
 * Functions of WordPress that only leave a trace for the test to look at.
 */

use ConnectorCarts\Tests\World;

function wp_enqueue_script( ...$given ) {
	World::trace( 'wp_enqueue_script', ...$given );
	return 'wp_enqueue_script';
}

function wp_register_script( ...$given ) {
	World::trace( 'wp_register_script', ...$given );
	return 'wp_register_script';
}

function wp_add_inline_script( ...$given ) {
	World::trace( 'wp_add_inline_script', ...$given );
	return 'wp_add_inline_script';
}

function wp_localize_script( ...$given ) {
	World::trace( 'wp_localize_script', ...$given );
	return 'wp_localize_script';
}

function wp_enqueue_style( ...$given ) {
	World::trace( 'wp_enqueue_style', ...$given );
	return 'wp_enqueue_style';
}

function wp_add_privacy_policy_content( ...$given ) {
	World::trace( 'wp_add_privacy_policy_content', ...$given );
	return 'wp_add_privacy_policy_content';
}

function register_setting( ...$given ) {
	World::trace( 'register_setting', ...$given );
	return 'register_setting';
}

function add_settings_section( ...$given ) {
	World::trace( 'add_settings_section', ...$given );
	return 'add_settings_section';
}

function add_settings_field( ...$given ) {
	World::trace( 'add_settings_field', ...$given );
	return 'add_settings_field';
}

function add_submenu_page( ...$given ) {
	World::trace( 'add_submenu_page', ...$given );
	return 'add_submenu_page';
}

function settings_fields( ...$given ) {
	World::trace( 'settings_fields', ...$given );
	return 'settings_fields';
}

function add_settings_error( ...$given ) {
	World::trace( 'add_settings_error', ...$given );
	return 'add_settings_error';
}

function settings_errors( ...$given ) {
	World::trace( 'settings_errors', ...$given );
	return 'settings_errors';
}
