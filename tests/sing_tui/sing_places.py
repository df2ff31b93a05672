"""Places of the file that `catalogs.sing` invents."""

from catalogs import place

MODELS = place("models")
CLASSES = place("classes", model="alpha")
CONCEPTS = place("concepts", model="alpha", class_=1)
IMAGES = place("images", model="alpha", class_=1)
ALL_IMAGES = place("images", model="alpha")
CONCEPT_ALONG = place("concepts", along="class", model="beta", concept=7)
