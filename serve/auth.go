package serve

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// Keys are API keys, kept as hashes and compared in constant time.
type Keys [][sha256.Size]byte

// ReadKeys reads a file with a key on each line; empty lines and those that begin with # do not count.
func ReadKeys(path string) (Keys, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var keys Keys
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key := strings.TrimSpace(lines.Text()); key != "" && !strings.HasPrefix(key, "#") {
			keys = append(keys, sha256.Sum256([]byte(key)))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: want a key a line, found none", path)
	}
	return keys, nil
}

// match says whether key is one of them; how long it takes does not depend on which or on how much of it is right.
func (k Keys) match(key string) bool {
	h := sha256.Sum256([]byte(key))
	found := 0
	for i := range k {
		found |= subtle.ConstantTimeCompare(h[:], k[i][:])
	}
	return found == 1
}

// auth lets requests with a key pass; without keys everybody passes.
func (s *Server) auth(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(s.opts.Keys) > 0 {
			key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || !s.opts.Keys.match(strings.TrimSpace(key)) {
				writeError(w, &apiError{status: http.StatusUnauthorized, Type: "authentication_error", Code: "invalid_api_key",
					Message: "Incorrect API key provided. Send it as 'Authorization: Bearer KEY'."})
				return
			}
		}
		next(w, r)
	}
}

// Loopback says whether an address to listen on can be reached from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
