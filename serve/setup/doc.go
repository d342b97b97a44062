// Package setup makes of a configuration what a server runs: it opens routers, upstreams, the guard, budget, ledger and replay log, and
// joins them into virtual models.
//
// A [Setup] does so for one configuration after another. What two of them have in common stays: routers that read the same folder,
// whether an upstream is cooling down, what was spent of a budget. Nothing of the old configuration changes before
// [Built.Commit]; [Built.Discard] gives up what was opened for a configuration that is not taken after all.
package setup
