<?php
/**
 * The request ended: by a redirect, by wp_die, or with JSON. Thrown instead of leaving PHP.
 */

namespace ConnectorCarts\Tests;

class Left extends \RuntimeException {

	/** @var string Where the browser was sent; '' if nowhere. */
	public $url;
	/** @var int */
	public $status;

	public function __construct( string $message, string $url = '', int $status = 200 ) {
		parent::__construct( $message );
		$this->url    = $url;
		$this->status = $status;
	}
}
