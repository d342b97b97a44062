// Package clients holds tests of `switchyard serve` with the clients that people use. It is a module of its own, so that
// none of them is among the product's dependencies. SWITCHYARD_URL names a running server of the built-in model; .ci/clients
// starts one.
package clients
