<?php
/**
 * A very small SQL in memory: as much of MySQL as the plugin's one table needs. What it does not know, it refuses.
 */

namespace ConnectorCarts\Tests;

class Sql {

	use SqlExpressions;

	/** @var array<string, array{columns: array<string, mixed>, unique: array<int, array<int, string>>, rows: array<int, array<string, mixed>>, next: int}> */
	public $tables = array();
	/** @var int Rows that the last statement touched. */
	public $affected = 0;
	/** @var int */
	public $inserted = 0;

	/** Run one statement; a SELECT answers rows, anything else the number of rows it touched. */
	public function run( string $statement ) {
		if ( preg_match( '/^\s*CREATE TABLE/i', $statement ) ) {
			$this->create( $statement );
			return 0;
		}
		preg_match_all( "/'(?:[^'\\\\]|\\\\.|'')*'|`[^`]+`|[A-Za-z_][A-Za-z0-9_.]*|\d+(?:\.\d+)?|<>|!=|<=|>=|[-+*\/(),=<>%;]/s", $statement, $found );
		$this->tokens = array_values( array_diff( $found[0], array( ';' ) ) );
		$this->at     = 0;
		$verb         = strtolower( $this->next() );
		if ( ! in_array( $verb, array( 'select', 'insert', 'update', 'delete', 'drop', 'show' ), true ) ) {
			throw new \LogicException( 'The stand-in database does not know: ' . $statement );
		}
		return $this->{$verb . '_rows'}();
	}

	/** Make a table out of dbDelta's words; an existing one gains columns. */
	public function create( string $statement ): void {
		if ( ! preg_match( '/CREATE TABLE (?:IF NOT EXISTS )?`?(\w+)`?\s*\((.*)\)[^)]*$/is', $statement, $match ) ) {
			throw new \LogicException( 'Not a table: ' . $statement );
		}
		$table = $this->tables[ $match[1] ] ?? array(
			'columns' => array(),
			'unique'  => array(),
			'rows'    => array(),
			'next'    => 1,
		);
		foreach ( preg_split( '/,\s*\n/', trim( $match[2] ) ) as $line ) {
			$line = trim( $line );
			if ( preg_match( '/^(PRIMARY KEY|UNIQUE KEY|UNIQUE)\s*\w*\s*\(([^)]*)\)/i', $line, $key ) ) {
				$table['unique'][] = array_map( 'trim', explode( ',', str_replace( '`', '', preg_replace( '/\(\d+\)/', '', $key[2] ) ) ) );
			} elseif ( ! preg_match( '/^(KEY|INDEX)\b/i', $line ) && preg_match( '/^`?(\w+)`?\s+(.*)$/s', $line, $column ) ) {
				$default = preg_match( "/DEFAULT\s+(?:'([^']*)'|(\w+))/i", $column[2], $given ) ? ( isset( $given[2] ) && 'NULL' !== strtoupper( $given[2] ) ? $given[2] : ( $given[1] ?? null ) ) : null;
				$table['columns'][ $column[1] ] = array( $default, (bool) preg_match( '/AUTO_INCREMENT/i', $column[2] ), (bool) preg_match( '/\b(?:var)?char\((\d+)\)/i', $column[2], $size ) ? (int) $size[1] : 0 );
			}
		}
		$this->tables[ $match[1] ] = $table;
	}

	/** Add one row, as `wpdb::insert` would; false where a unique key forbids it. */
	public function add( string $name, array $row, bool $replace = false ) {
		$table = &$this->table( $name );
		foreach ( array_keys( $row ) as $column ) {
			if ( ! isset( $table['columns'][ $column ] ) ) {
				throw new \LogicException( "No column $column in $name" );
			}
		}
		$full = array();
		foreach ( $table['columns'] as $column => $about ) {
			$full[ $column ] = array_key_exists( $column, $row ) ? $row[ $column ] : $about[0];
			if ( $about[1] && empty( $full[ $column ] ) ) {
				$full[ $column ] = $table['next']++;
				$this->inserted  = $full[ $column ];
			}
			$full[ $column ] = null === $full[ $column ] ? null : (string) $full[ $column ];
			if ( $about[2] && strlen( (string) $full[ $column ] ) > $about[2] && mb_strlen( (string) $full[ $column ] ) > $about[2] ) {
				return false;
			}
		}
		$twin = $this->twin( $table, $full );
		if ( null !== $twin && ! $replace ) {
			return false;
		}
		if ( null !== $twin ) {
			unset( $table['rows'][ $twin ] );
		}
		$table['rows'][] = $full;
		return 1;
	}

	private function twin( array $table, array $row ): ?int {
		foreach ( $table['rows'] as $index => $other ) {
			foreach ( $table['unique'] as $columns ) {
				$same = array_filter( $columns, static fn( $column ) => null !== $row[ $column ] && strtolower( (string) $row[ $column ] ) === strtolower( (string) $other[ $column ] ) );
				if ( count( $same ) === count( $columns ) ) {
					return $index;
				}
			}
		}
		return null;
	}

	private function &table( string $name ): array {
		if ( ! isset( $this->tables[ $name ] ) ) {
			throw new \LogicException( "No table $name" );
		}

		return $this->tables[ $name ];
	}

	private function select_rows(): array {
		$columns = array();
		do {
			$start     = $this->at;
			$value     = $this->expression();
			$text      = implode( '', array_slice( $this->tokens, $start, $this->at - $start ) );
			$as        = $this->eats( 'as' ) ? $this->next() : $text;
			$columns[] = array( trim( $as, '`' ), $value, $text );
		} while ( $this->eats( ',' ) );
		if ( ! $this->eats( 'from' ) ) {
			throw new \LogicException( 'FROM was expected' );
		}
		$name = trim( $this->next(), '`' );
		$rows = $this->matching( $name );
		if ( $this->grand( $columns ) ) {
			return array( $this->totals( $columns, $rows ) );
		}
		$rows = $this->limited( $this->sorted( array_values( $rows ) ) );
		return array_map(
			static function ( array $row ) use ( $columns ): array {
				$out = array();
				foreach ( $columns as list( $as, $value ) ) {
					'*' === $as ? $out += $row : $out[ $as ] = $value( $row );
				}
				return $out;
			},
			$rows
		);
	}

	/** True where the columns are COUNT, MIN or MAX over all rows. */
	private function grand( array $columns ): bool {
		return (bool) preg_match( '/^(count|min|max)\(/i', $columns[0][2] );
	}

	private function totals( array $columns, array $rows ): array {
		$out = array();
		foreach ( $columns as list( $as, , $text ) ) {
			preg_match( '/^(count|min|max)\(([\w*]+)\)$/i', $text, $match );
			$values     = '*' === $match[2] ? $rows : array_column( $rows, $match[2] );
			$out[ $as ] = 'count' === strtolower( $match[1] ) ? (string) count( $values ) : ( $values ? ( strtolower( $match[1] ) )( $values ) : null );
		}
		return $out;
	}

	/** Rows, by their index, for which WHERE holds. */
	private function matching( string $name ): array {
		$holds = $this->eats( 'where' ) ? $this->expression() : static fn() => true;
		return array_filter( $this->table( $name )['rows'], static fn( $row ) => (bool) $holds( $row ) );
	}

	private function sorted( array $rows ): array {
		if ( ! $this->eats( 'order' ) ) {
			return $rows;
		}
		$this->next();
		$keys = array();
		do {
			$keys[] = array( $this->expression(), $this->eats( 'desc' ) ? -1 : ( $this->eats( 'asc' ) ? 1 : 1 ) );
		} while ( $this->eats( ',' ) );
		usort(
			$rows,
			static function ( array $one, array $other ) use ( $keys ): int {
				foreach ( $keys as list( $key, $way ) ) {
					$order = self::compare( $key( $one ), $key( $other ) );
					if ( 0 !== $order ) {
						return $order * $way;
					}
				}
				return 0;
			}
		);
		return $rows;
	}

	private function limited( array $rows ): array {
		if ( ! $this->eats( 'limit' ) ) {
			return $rows;
		}
		$first = (int) $this->next();
		if ( $this->eats( ',' ) ) {
			return array_slice( $rows, $first, (int) $this->next() );
		}
		return array_slice( $rows, $this->eats( 'offset' ) ? (int) $this->next() : 0, $first );
	}

	private function update_rows(): int {
		$name = trim( $this->next(), '`' );
		$this->next();
		$sets = array();
		do {
			$column = trim( $this->next(), '`' );
			$this->next();
			$sets[ $column ] = $this->expression();
		} while ( $this->eats( ',' ) );
		$table          = &$this->table( $name );
		$matching       = $this->matching( $name );
		$this->affected = 0;
		foreach ( $matching as $index => $row ) {
			foreach ( $sets as $column => $value ) {
				$new                              = $value( $row );
				$table['rows'][ $index ][ $column ] = null === $new ? null : (string) $new;
			}
			$this->affected += $table['rows'][ $index ] === $row ? 0 : 1;
		}
		return $this->affected;
	}

	private function delete_rows(): int {
		$this->next();
		$name           = trim( $this->next(), '`' );
		$table          = &$this->table( $name );
		$matching       = $this->matching( $name );
		$matching       = array_slice( $matching, 0, $this->eats( 'limit' ) ? (int) $this->next() : null, true );
		$table['rows']  = array_diff_key( $table['rows'], $matching );
		$this->affected = count( $matching );
		return $this->affected;
	}

	private function insert_rows(): int {
		$ignore = $this->eats( 'ignore' );
		$this->eats( 'into' );
		$name    = trim( $this->next(), '`' );
		$columns = array_map( static fn( $word ) => trim( $word, '`' ), $this->list_of( fn() => $this->next() ) );
		$this->next();
		$values         = array_map( static fn( $value ) => $value( array() ), $this->list_of( fn() => $this->expression() ) );
		$added          = $this->add( $name, array_combine( $columns, $values ) );
		$this->affected = $added ? 1 : 0;
		if ( ! $added && $this->eats( 'on' ) ) {
			$this->at += 3;
			$row       = array_combine( $columns, $values );
			do {
				$column = trim( $this->next(), '`' );
				$this->next();
				$row[ $column ] = $this->expression()( $row );
			} while ( $this->eats( ',' ) );
			$this->add( $name, $row, true );
			$this->affected = 2;
		} elseif ( ! $added && ! $ignore ) {
			return 0;
		}
		return $this->affected;
	}

	private function drop_rows(): int {
		$this->at += 1;
		if ( $this->eats( 'if' ) ) {
			$this->next();
		}
		unset( $this->tables[ trim( $this->next(), '`' ) ] );
		return 0;
	}

	private function show_rows(): array {
		$wanted = trim( (string) end( $this->tokens ), "'" );
		$names  = array_filter( array_keys( $this->tables ), static fn( $name ) => stripslashes( $wanted ) === $name );
		return array_map( static fn( $name ) => array( 'table' => $name ), array_values( $names ) );
	}
}
