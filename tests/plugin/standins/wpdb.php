<?php
/**
 * The database object, on a small SQL in memory.
 */

use ConnectorCarts\Tests\Sql;

defined( 'ARRAY_A' ) || define( 'ARRAY_A', 'ARRAY_A' );
defined( 'OBJECT' ) || define( 'OBJECT', 'OBJECT' );

// phpcs:ignore
class wpdb {

	/** @var string */
	public $prefix = 'wp_';
	/** @var string */
	public $posts = 'wp_posts';
	/** @var int */
	public $insert_id = 0;
	/** @var int */
	public $rows_affected = 0;
	/** @var string */
	public $last_error = '';
	/** @var Sql */
	public $sql;
	/** @var array<int, string> Statements that changed something. */
	public $writes = array();

	public function __construct() {
		$this->sql = new Sql();
		$this->sql->create( "CREATE TABLE wp_posts (\nID bigint NOT NULL AUTO_INCREMENT,\npost_type varchar(20) DEFAULT 'page',\npost_status varchar(20) DEFAULT 'publish',\npost_content longtext DEFAULT '',\nPRIMARY KEY (ID)\n)" );
	}

	public function prepare( $statement, ...$values ) {
		$values = isset( $values[0] ) && is_array( $values[0] ) ? $values[0] : $values;
		return preg_replace_callback(
			'/%(?:[sdif]|%)/',
			static function ( $match ) use ( &$values ) {
				if ( '%%' === $match[0] ) {
					return '%';
				}
				$value = array_shift( $values );
				switch ( $match[0] ) {
					case '%d':
						return (string) (int) $value;
					case '%f':
						return (string) (float) $value;
					case '%i':
						return '`' . str_replace( '`', '``', $value ) . '`';
				}
				return "'" . addslashes( (string) $value ) . "'";
			},
			$statement
		);
	}

	public function esc_like( $text ) {
		return addcslashes( $text, '_%\\' );
	}

	public function get_charset_collate() {
		return 'DEFAULT CHARACTER SET utf8mb4';
	}

	public function suppress_errors( $suppress = true ) {
		return false;
	}

	public function query( $statement ) {
		$answer = $this->sql->run( $statement );
		if ( is_array( $answer ) ) {
			return count( $answer );
		}
		$this->writes[]      = $statement;
		$this->rows_affected = $answer;
		return $answer;
	}

	public function get_results( $statement, $output = OBJECT ) {
		$rows = $this->sql->run( $statement );
		return ARRAY_A === $output ? $rows : array_map( static fn( $row ) => (object) $row, $rows );
	}

	public function get_row( $statement, $output = OBJECT ) {
		return $this->get_results( $statement, $output )[0] ?? null;
	}

	public function get_col( $statement ) {
		return array_map( 'current', $this->get_results( $statement, ARRAY_A ) );
	}

	public function get_var( $statement ) {
		return $this->get_col( $statement )[0] ?? null;
	}

	public function insert( $table, $row, $format = null ) {
		$added               = $this->sql->add( $table, $row );
		$this->insert_id     = $this->sql->inserted;
		$this->rows_affected = (int) $added;
		$this->writes[]      = "insert $table";
		$this->last_error    = $added ? '' : 'Duplicate entry or data too long';
		return $added;
	}

	public function replace( $table, $row, $format = null ) {
		$this->writes[] = "replace $table";
		return $this->sql->add( $table, $row, true );
	}

	public function update( $table, $row, $where, $format = null, $where_format = null ) {
		return $this->query( "UPDATE $table SET " . $this->pairs( $row, ', ', '=' ) . ' WHERE ' . $this->pairs( $where, ' AND ', '=' ) );
	}

	public function delete( $table, $where, $format = null ) {
		return $this->query( "DELETE FROM $table WHERE " . $this->pairs( $where, ' AND ', '=' ) );
	}

	private function pairs( array $row, string $between, string $sign ): string {
		$parts = array();
		foreach ( $row as $column => $value ) {
			$parts[] = "`$column` $sign " . ( null === $value ? 'NULL' : $this->prepare( '%s', $value ) );
		}
		return implode( $between, $parts );
	}
}
