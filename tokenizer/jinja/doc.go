// Package jinja runs the part of the Jinja language that chat templates use, as transformers sets it up:
// trim_blocks, lstrip_blocks, loop controls, the generation tag, an immutable sandbox.
//
// Parse makes a Template, Render runs it on values: nil, bool, int64, float64, string, *List and *Dict (which
// keeps the order of its keys). A template can neither run for ever nor fill memory: steps and bytes are
// counted and bounded. Messages of errors are those of Jinja and Python. Reference: jinja2 3.1.6,
// transformers 5.23 utils/chat_template_utils.py.
package jinja
