// Package guard finds what must not leave the machine: addresses, numbers with checksums, keys, and a user's own words.
//
// A finding has a kind from a closed list and a place in the text, never the text itself, so that findings can be logged.
// [Guard.Check] is the decision: it is local_only where anything was found, and also where the text could not be read
// (bytes that are not UTF-8, more text than the guard reads): it fails closed.
package guard
