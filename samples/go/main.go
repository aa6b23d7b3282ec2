// An ordinary net/http program: as a component, and as a native one.
package main

import (
	"fmt"
	"io"
	"net/http"

	"shallop"
)

func init() {
	http.HandleFunc("GET /{$}", hello)
	http.HandleFunc("/about", about)
	http.HandleFunc("POST /echo", echo)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(w, "there is no such page")
	})
	shallop.Handle(http.DefaultServeMux)
}

func main() { shallop.Main() }

// hello says hello, and to whom.
func hello(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if name == "" {
		name = "world"
	}
	fmt.Fprintf(w, "hello, %s\n", name)
}

// about tells what it was asked.
func about(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Language", "Go")
	fmt.Fprintf(w, "%s %s\nquery: %s\nx-greeting: %s\n", r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("X-Greeting"))
}

// echo gives the body back piece by piece, as it comes.
func echo(w http.ResponseWriter, r *http.Request) {
	flow := http.NewResponseController(w)
	_ = flow.EnableFullDuplex()
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.WriteHeader(http.StatusCreated)
	piece := make([]byte, 32*1024)
	for {
		size, err := r.Body.Read(piece)
		if size > 0 {
			if _, err := w.Write(piece[:size]); err != nil {
				return
			}
			_ = flow.Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
