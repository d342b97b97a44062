package serve

import (
	"embed"
	"net/http"
)

// pageFiles is the page at /: no build step, nothing from the network.
//
//go:embed page
var pageFiles embed.FS

// page serves the page and its two files. It may load nothing but them and talk to nobody but this server.
func (s *Server) page(mux *http.ServeMux) {
	files := http.FileServerFS(pageFiles)
	secure := func(w http.ResponseWriter) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		secure(w)
		http.ServeFileFS(w, r, pageFiles, "page/index.html")
	})
	for _, name := range []string{"page.css", "page.js"} {
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, r *http.Request) {
			secure(w)
			files.ServeHTTP(w, r)
		})
	}
}
