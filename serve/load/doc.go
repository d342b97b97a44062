// Package load measures a server over loopback, as clients see it: speed beside the library's own, many streams beside
// one, waits and gaps while others are at work. `switchyard bench serve` prints its rows.
package load
