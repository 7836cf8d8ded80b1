module geminios/site

go 1.26.8
