"""Small notebooks for tests, as they are before and after execution."""

import nbformat


def unexecuted(path, title, question, *codes):
    """Write a notebook whose first cell has a title and a question, and whose others are code. Gives its path."""
    cells = [nbformat.v4.new_markdown_cell(f"# {title}\n\n**{question}**")]
    nbformat.write(nbformat.v4.new_notebook(cells=[*cells, *map(nbformat.v4.new_code_cell, codes)]), path)
    return path


def executed(*outputs, markdown="text", source="1"):
    """A notebook as it is after execution: a markdown cell, and a code cell for each output."""
    cells = [nbformat.v4.new_markdown_cell(markdown)]
    cells += [nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output]) for output in outputs]
    return nbformat.v4.new_notebook(cells=cells)


def display(data):
    """An output in several forms."""
    return nbformat.v4.new_output("display_data", data)


def printed(text, name="stdout"):
    """An output of text."""
    return nbformat.v4.new_output("stream", name=name, text=text)
