// Command gen writes the assembly of package kernels and the Go declarations that go with it. One description serves
// AVX2 and AVX-512, so what is tested on one is the structure of the other; neon*.go write arm64. The output is committed and depends on
// nothing but this program: regenerate with `go generate ./kernels` and compare.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "folder of package kernels")
	flag.Parse()
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(*dir, name), []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// files builds every output by name.
func files() map[string]string {
	out := map[string]string{}
	for _, room := range []room{tileRoom, lanesRoom, elementRoom, actRoom, foldRoom, scoresRoom, mixRoom, colsRoom, softmaxRoom, convertRoom, limitRoom, packedRoom, packedTilesRoom, partsRoom, quantRoom, packRoom} {
		decl := &decls{}
		on := room.isas
		if on == nil {
			on = isas
		}
		for _, i := range on {
			f := newFile(i, room.name)
			room.emit(f, decl)
			if f.body.Len() == 0 { // the level has none of its own
				continue
			}
			out[room.name+"_"+i.file+"_amd64.s"] = f.text()
		}
		out[room.name+"_amd64.go"] = decl.text()
	}
	armFiles(out)
	return out
}

// room is a family of kernels: one .s for each ISA and one file of declarations.
type room struct {
	name string
	emit func(f *file, d *decls)
	isas []isa // nil: isas
}
