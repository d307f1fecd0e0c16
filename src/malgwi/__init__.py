"""malgwi (말귀): Korean speech recognition, telephone first.

prepare → split → train → evaluate → transcribe; every stage is a module of the same noun and a
command of the same verb. Importing the package does nothing but define `__version__`.
"""

__version__ = "0.1.0"
