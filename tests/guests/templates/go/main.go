// A function: standard input is the body of the request, standard output that of the response, and the
// arguments are the values of the query. What goes to standard error is in the log.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
)

func main() {
	name := "world"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Hello, %s! You sent %d bytes.\n", name, len(body))
}
