"""The stages. Kedro is known here and to the modules beside this package, nowhere deeper."""
