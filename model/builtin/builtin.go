// Package builtin holds the trained model that is inside the binary: cambrian-moe-7m, a mixture of sixteen small
// experts (README.md beside this file is its card, with sources and licences). It makes the first command work with no
// download.
package builtin

import (
	"embed"
	"io/fs"
)

// Name is the built-in model's name.
const Name = "cambrian-moe-7m"

//go:embed config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json README.md
var files embed.FS

// FS is the built-in model as a Hugging Face folder, read-only.
func FS() fs.FS { return files }
