<?php
/**
 * Where WordPress keeps dbDelta.
 */

function dbDelta( $statements ) {
	global $wpdb;
	foreach ( (array) $statements as $statement ) {
		$wpdb->sql->create( rtrim( trim( $statement ), ';' ) );
	}
	return array();
}
