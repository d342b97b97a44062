// Package config reads the file of `switchyard serve --config`: YAML, of which JSON is a part.
//
// A file is read to its end whatever is wrong with it: [Parse] and [Check] tell every fault at once, each with file, line and
// field, what was wanted and what was found. Keys that nobody knows are faults, and so are anchors, aliases and merge keys, which
// make small files large. Nothing is opened here: names of folders are only made absolute.
package config
